"""Draws batches of scenes on the GPU as compose() does, with the changes that training adds: shear and stretch,
brightness, noise, blur, JPEG damage and several filters. Pixels are 0..255."""
import math

import numpy as np
import torch
import torch.nn.functional as F


def pil_bicubic(source, target):
    """PIL's bicubic resize (a = -0.5, antialiased) as a matrix [target, source]."""
    scale = source / target
    support = 2.0 * max(scale, 1.0)
    matrix = np.zeros((target, source))
    for i in range(target):
        centre = (i + 0.5) * scale
        low, high = max(0, int(centre - support + 0.5)), min(source, int(centre + support + 0.5))
        x = np.abs((np.arange(low, high) - centre + 0.5) / max(scale, 1.0))
        near = ((1.5 * x) - 2.5) * x * x + 1
        far = (((x - 5) * x + 8) * x - 4) * -0.5
        w = np.where(x < 1, near, np.where(x < 2, far, 0.0))
        matrix[i, low:high] = w / w.sum()
    return matrix


def dct_matrix():
    k, n = np.mgrid[0:8, 0:8]
    m = np.cos((2 * n + 1) * k * math.pi / 16) * 0.5
    m[0] *= math.sqrt(0.5)
    return m


LUMA = np.array([
    [16, 11, 10, 16, 24, 40, 51, 61], [12, 12, 14, 19, 26, 58, 60, 55], [14, 13, 16, 24, 40, 57, 69, 56],
    [14, 17, 22, 29, 51, 87, 80, 62], [18, 22, 37, 56, 68, 109, 103, 77], [24, 35, 55, 64, 81, 104, 113, 92],
    [49, 64, 78, 87, 103, 121, 120, 101], [72, 92, 95, 98, 112, 100, 103, 99]])
CHROMA = np.full((8, 8), 99)
CHROMA[:4, :4] = [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]


class Renderer:
    def __init__(self, premultiplied, textures, side, out, patch, device):
        self.side, self.out, self.patch, self.device = side, out, patch, device
        atlas = torch.tensor(premultiplied, dtype=torch.float32).permute(0, 3, 1, 2).contiguous()
        small = F.interpolate(F.avg_pool2d(atlas, 2), scale_factor=2.0, mode="bilinear", align_corners=False)
        self.kinds = atlas.shape[0]
        self.atlas = torch.cat([atlas, small]).to(device)
        self.textures = {t: i for i, t in enumerate(textures)}
        grid = torch.arange(side, device=device, dtype=torch.float32)
        self.y, self.x = torch.meshgrid(grid, grid, indexing="ij")
        self.down = torch.tensor(pil_bicubic(side, out), dtype=torch.float32, device=device)
        blocks = side // 8
        self.dct = torch.tensor(np.kron(np.eye(blocks), dct_matrix()), dtype=torch.float32, device=device)
        self.quant = torch.tensor(np.stack([np.tile(q, (blocks, blocks)) for q in (LUMA, CHROMA, CHROMA)]),
                                  dtype=torch.float32, device=device)
        self.rgb_ycc = torch.tensor([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]],
                                    device=device)
        self.ycc_rgb = torch.linalg.inv(self.rgb_ycc)

    def uniform(self, low, high, *shape):
        return low + (high - low) * torch.rand(*shape, device=self.device)

    def ground(self, ground):
        first, second = ground[:, 0:3, None, None], ground[:, 3:6, None, None]
        texture, p = ground[:, 6].long(), ground[:, 7, None, None]
        x, y = self.x[None], self.y[None]
        fx, fy = (x / p).floor(), (y / p).floor()
        plane = torch.zeros(len(ground), self.side, self.side, device=self.device)
        forms = {"horizontal": fy % 2, "vertical": fx % 2, "diagonal": ((x + y) / p).floor() % 2, "checks": (fx + fy) % 2,
                 "dots": ((2 * (x - fx * p) - p) ** 2 + (2 * (y - fy * p) - p) ** 2 < p * p * 0.36).float(),
                 "gradient": (y / (self.side - 1)).expand_as(plane)}
        for name, form in forms.items():
            plane = torch.where((texture == self.textures[name])[:, None, None], form, plane)
        return first + (second - first) * plane[:, None]

    def jpeg(self, pixels):
        """Quantizes 8x8 blocks' cosine coefficients at qualities 30 to 95, without chroma subsampling."""
        n = len(pixels)
        quality = self.uniform(30, 95, n, 1, 1, 1)
        scale = torch.where(quality < 50, 50 / quality, 2 - quality / 50)
        table = (self.quant[None] * scale).round().clamp(1, 255)
        frequency = self.dct @ self.mix(self.rgb_ycc, pixels - 128) @ self.dct.T
        frequency = (frequency / table).round() * table
        return self.mix(self.ycc_rgb, self.dct.T @ frequency @ self.dct) + 128

    @staticmethod
    def mix(matrix, x):
        """A 3x3 matrix over the channels."""
        rows = [matrix[i, 0] * x[:, 0] + matrix[i, 1] * x[:, 1] + matrix[i, 2] * x[:, 2] for i in range(3)]
        return torch.stack(rows, 1)

    def draw(self, kinds, things, ground, damage=True):
        """kinds [n,4] (-1: none), things [n,4,6], ground [n,8] -> pixels [n,3,out,out] and, for each patch's centre,
        the kind that is seen there (the count of kinds for the background) [n, patches]."""
        n = len(kinds)
        canvas = self.ground(ground)
        if damage:
            waves = F.interpolate(torch.randn(n, 3, 9, 9, device=self.device), size=self.side, mode="bilinear",
                                  align_corners=True)
            canvas = canvas + waves * (self.uniform(-6, 7, n, 1, 1, 1).clamp(min=0))
        seen = torch.full((n, self.side // self.patch, self.side // self.patch), self.kinds, device=self.device)
        at = slice(self.patch // 2, None, self.patch)
        for j in range(kinds.shape[1]):
            kind, thing = kinds[:, j].long(), things[:, j]
            there = (kind >= 0).float()[:, None, None, None]
            size = thing[:, 2, None, None].clamp(min=1)
            turn = thing[:, 3, None, None] * (math.pi / 180)
            dx, dy = self.x[None] + 0.5 - thing[:, 0, None, None], self.y[None] + 0.5 - thing[:, 1, None, None]
            cos, sin = turn.cos(), turn.sin()
            u, v = (cos * dx + sin * dy) / size, (cos * dy - sin * dx) / size
            u = torch.where(thing[:, 4, None, None] > 0, -u, u)
            if damage:
                u, v = (u * self.uniform(0.93, 1.08, n, 1, 1) + v * self.uniform(-0.15, 0.15, n, 1, 1),
                        v * self.uniform(0.93, 1.08, n, 1, 1))
            index = kind.clamp(min=0) + self.kinds * (thing[:, 2] < 76).long()
            drawn = F.grid_sample(self.atlas[index], torch.stack([u, v], -1) * 2, mode="bilinear",
                                  padding_mode="zeros", align_corners=False) * there
            colour, alpha = drawn[:, :3], drawn[:, 3:]
            if damage:
                colour = colour * self.uniform(0.85, 1.12, n, 1, 1, 1) * self.uniform(0.95, 1.05, n, 3, 1, 1)
            canvas = canvas * (1 - alpha) + torch.minimum(colour, alpha * 255)
            seen = torch.where(alpha[:, 0, at, at] > 0.5, kind[:, None, None], seen)
        canvas = canvas.clamp(0, 255)
        if damage:
            third = n // 3
            soft = F.avg_pool2d(canvas, 3, 1, 1, count_include_pad=False)
            canvas = torch.lerp(canvas, soft, self.uniform(-1, 1, n, 1, 1, 1).clamp(min=0))
            canvas = canvas + torch.randn_like(canvas) * self.uniform(-10, 12, n, 1, 1, 1).clamp(min=0)
            damaged = self.jpeg(canvas[:third].round().clamp(0, 255))
            canvas = torch.cat([damaged, canvas[third:]]).round().clamp(0, 255)
            rest = n - n // 4
            pixels = torch.cat([self.down @ canvas[:rest] @ self.down.T,
                                F.interpolate(canvas[rest:], size=self.out, mode="area")])
        else:
            pixels = self.down @ canvas.round().clamp(0, 255) @ self.down.T
        return pixels.round().clamp(0, 255), seen.flatten(1)
