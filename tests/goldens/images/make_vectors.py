#!/usr/bin/env python3
"""Writes the pictures of this folder and pictures.json: what Pillow makes of them.

Run it where Pillow and numpy are (Debian: python3-pil, python3-numpy; made with Pillow 9.4, libjpeg-turbo 2.1.5). Everything is
seeded: a second run writes the same bytes. A vector is the SHA-256 of the RGB bytes, or of little-endian floats.
"""
import hashlib, io, json, struct, sys, zlib
from pathlib import Path

import numpy as np
from PIL import Image, ImageOps, __version__

HERE = Path(__file__).parent
RNG = np.random.default_rng(20260101)
vectors = {'pillow': __version__, 'decode': [], 'resize': [], 'process': []}


def sha(data):
    return hashlib.sha256(bytes(data)).hexdigest()


def photo(width, height, channels=3, seed=0):
    """Something with edges, gradients and noise."""
    g = np.random.default_rng(seed * 7919 + width * 131 + height)
    y, x = np.mgrid[0:height, 0:width]
    base = [127 + 90 * np.sin(x / (5.0 + c)) * np.cos(y / (7.0 - c)) + (x * (c + 1) + y * 3) % 64 for c in range(channels)]
    picture = np.stack(base, -1) + g.normal(0, 12, (height, width, channels))
    picture[height // 4:height // 2, width // 3:width // 2] = g.integers(0, 256, channels)
    return np.clip(picture, 0, 255).astype(np.uint8)


def add(name, data):
    """Commits a file and what Pillow's load, exif_transpose, convert('RGB') give."""
    (HERE / name).write_bytes(data)
    image = Image.open(io.BytesIO(data))
    image = ImageOps.exif_transpose(image) or image
    rgb = image.convert('RGB')
    vectors['decode'].append({'file': name, 'width': rgb.width, 'height': rgb.height, 'sha256': sha(rgb.tobytes())})


def save(name, image, **options):
    out = io.BytesIO()
    image.save(out, **options)
    add(name, out.getvalue())


# ---- PNG: a writer of our own, because Pillow writes neither all depths, nor interlacing, nor chosen filters

def chunk(kind, body):
    return struct.pack('>I', len(body)) + kind + body + struct.pack('>I', zlib.crc32(kind + body))


CHANNELS = {0: 1, 2: 3, 3: 1, 4: 2, 6: 4}


def pack_row(samples, depth):
    """[width, channels] to bytes."""
    flat = samples.reshape(-1).astype(np.uint32)
    if depth == 16:
        return flat.astype('>u2').tobytes()
    if depth == 8:
        return flat.astype(np.uint8).tobytes()
    bits = ((flat[:, None] >> np.arange(depth - 1, -1, -1)) & 1).reshape(-1).astype(np.uint8)
    return np.packbits(bits).tobytes()


def filter_row(kind, row, above, distance):
    out = bytearray(len(row))
    for i, value in enumerate(row):
        a = row[i - distance] if i >= distance else 0
        b = above[i] if above else 0
        c = above[i - distance] if above and i >= distance else 0
        p = a + b - c
        pa, pb, pc = abs(p - a), abs(p - b), abs(p - c)
        predicted = [0, a, b, (a + b) // 2, a if pa <= pb and pa <= pc else b if pb <= pc else c][kind]
        out[i] = (value - predicted) & 255
    return bytes([kind]) + bytes(out)


def png(samples, color, depth, interlaced=False, before=(), split=None):
    height, width = samples.shape[:2]
    distance = max(1, CHANNELS[color] * depth // 8)
    passes = [(0, 0, 8, 8), (4, 0, 8, 8), (0, 4, 4, 8), (2, 0, 4, 4), (0, 2, 2, 4), (1, 0, 2, 2), (0, 1, 1, 2)] if interlaced else [(0, 0, 1, 1)]
    raw, kind = b'', 0
    for x, y, dx, dy in passes:
        part = samples[y::dy, x::dx]
        above = None
        if part.shape[1] == 0:
            continue
        for line in part:
            row = pack_row(line, depth)
            raw += filter_row(kind % 5, row, above, distance)
            above, kind = row, kind + 1
    data = zlib.compress(raw, 9)
    step = split or len(data)
    return (b'\x89PNG\r\n\x1a\n' + chunk(b'IHDR', struct.pack('>IIBBBBB', width, height, depth, color, 0, 0, int(interlaced)))
            + b''.join(chunk(k, b) for k, b in before)
            + b''.join(chunk(b'IDAT', data[i:i + step]) for i in range(0, len(data), step)) + chunk(b'IEND', b''))


def pngs():
    for color, depths in {0: (1, 2, 4, 8, 16), 2: (8, 16), 3: (1, 2, 4, 8), 4: (8, 16), 6: (8, 16)}.items():
        for depth in depths:
            for interlaced in (False, True):
                width, height = (23, 19) if interlaced else (37, 26)
                samples = photo(width, height, CHANNELS[color], color * 100 + depth).astype(np.uint32)
                samples = samples * 257 + 3 * samples[::-1] % 251 if depth == 16 else samples >> (8 - depth)
                samples = np.minimum(samples, 2 ** depth - 1)
                if color == 0 and depth == 16:
                    samples[::2] //= 300  # values on both sides of 255
                before = []
                if color == 3:
                    before.append((b'PLTE', RNG.integers(0, 256, 3 * 2 ** depth, np.uint8).tobytes()))
                    before.append((b'tRNS', RNG.integers(0, 256, 2 ** depth, np.uint8).tobytes()))
                elif color == 0:
                    before.append((b'tRNS', struct.pack('>H', int(samples[0, 0, 0]))))
                elif color == 2:
                    before.append((b'tRNS', struct.pack('>HHH', *map(int, samples[0, 0]))))
                add(f'png-c{color}-d{depth}{"-adam7" if interlaced else ""}.png', png(samples, color, depth, interlaced, before, split=61))
    add('png-1x1-adam7.png', png(np.array([[[9, 8, 7]]]), 2, 8, True))
    add('png-3x2-adam7.png', png(photo(3, 2), 2, 8, True))
    add('png-5x1-adam7.png', png(photo(5, 1), 2, 8, True))
    # the palette ends before the indices do
    add('png-short-palette.png', png(photo(16, 16, 1), 3, 8, before=[(b'PLTE', RNG.integers(0, 256, 3 * 40, np.uint8).tobytes())]))
    exif = Image.Exif()
    exif[0x0112] = 6
    add('png-exif6.png', png(photo(21, 13), 2, 8, before=[(b'eXIf', exif.tobytes()[6:])]))


# ---- BMP

def bmp(width, height, bits, rows, palette=b'', compression=0, info=40, masks=b'', colors=0, gap=0):
    """rows: the pixel data as stored; height < 0: the first row is the topmost."""
    if info == 12:
        header = struct.pack('<IHHHH', 12, width, height, 1, bits)
    else:
        header = struct.pack('<IiiHHIIiiII', info, width, height, 1, bits, compression, len(rows), 2835, 2835, colors, 0)
        if info > 40:
            header += (masks + bytes(info))[:info - 40]
            masks = b''
    offset = 14 + len(header) + len(masks) + len(palette) + gap
    return b'BM' + struct.pack('<IHHI', offset + len(rows), 0, 0, offset) + header + masks + palette + bytes(gap) + rows


def bmp_rows(samples, bits):
    out = b''
    for line in samples[::-1]:
        row = line.astype('<u4').tobytes() if bits == 32 else line.astype('<u2').tobytes() if bits == 16 else pack_row(line, bits) if bits <= 8 else line[:, ::-1].astype(np.uint8).tobytes()
        out += row + bytes(-len(row) % 4)
    return out


def rle8(samples):
    """Runs, literals, a move and the end codes."""
    out = b''
    for y, line in enumerate(samples[::-1]):
        x, line = 0, [int(v) for v in line]
        while x < len(line):
            run = 1
            while x + run < len(line) and line[x + run] == line[x] and run < 255:
                run += 1
            if run >= 3 or len(line) - x < 3:
                out += bytes([run, line[x]])
                x += run
            else:
                count = min(len(line) - x, 5)
                out += bytes([0, count] + line[x:x + count]) + bytes(count & 1)
                x += count
        out += b'\0\0'
    return out + b'\0\1'


def bmps():
    rgb = photo(29, 17)
    add('bmp-24.bmp', bmp(29, 17, 24, bmp_rows(rgb, 24)))
    add('bmp-24-topdown.bmp', bmp(29, -17, 24, bmp_rows(rgb[::-1], 24)))
    add('bmp-24-v5.bmp', bmp(29, 17, 24, bmp_rows(rgb, 24), info=124))
    add('bmp-24-os2.bmp', bmp(29, 17, 24, bmp_rows(rgb, 24), info=12))
    wide = rgb.astype(np.uint32)
    add('bmp-32.bmp', bmp(29, 17, 32, bmp_rows(wide[..., 0] << 16 | wide[..., 1] << 8 | wide[..., 2] | 0x7F000000, 32)))
    masks = struct.pack('<IIII', 0xFF000000, 0xFF0000, 0xFF00, 0xFF)
    add('bmp-32-fields.bmp', bmp(29, 17, 32, bmp_rows(wide[..., 0] << 24 | wide[..., 1] << 16 | wide[..., 2] << 8, 32), compression=3, info=124, masks=masks))
    short = RNG.integers(0, 65536, (17, 29))
    add('bmp-16.bmp', bmp(29, 17, 16, bmp_rows(short, 16)))
    add('bmp-16-565.bmp', bmp(29, 17, 16, bmp_rows(short, 16), compression=3, masks=struct.pack('<III', 0xF800, 0x07E0, 0x001F)))
    for bits in (1, 4, 8):
        samples = photo(29, 17, 1, bits)[..., 0] >> (8 - bits)
        palette = RNG.integers(0, 256, (2 ** bits, 4), np.uint8)
        add(f'bmp-{bits}.bmp', bmp(29, 17, bits, bmp_rows(samples, bits), palette.tobytes()))
        add(f'bmp-{bits}-os2.bmp', bmp(29, 17, bits, bmp_rows(samples, bits), palette[:, :3].tobytes(), info=12))
    samples = (photo(29, 17, 1, 5)[..., 0] // 40).astype(np.uint8)
    palette = RNG.integers(0, 256, (16, 4), np.uint8).tobytes()
    add('bmp-rle8.bmp', bmp(29, 17, 8, rle8(samples), palette, compression=1, colors=16))


# ---- JPEG, and what is left

def exif_bytes(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif.tobytes()


def jpegs():
    rgb = Image.fromarray(photo(67, 45))
    for subsampling in (0, 1, 2):
        save(f'jpeg-s{subsampling}.jpg', rgb, format='JPEG', quality=85, subsampling=subsampling)
    save('jpeg-progressive.jpg', rgb, format='JPEG', quality=60, progressive=True)
    save('jpeg-grey.jpg', rgb.convert('L'), format='JPEG', quality=75)
    save('jpeg-cmyk.jpg', Image.fromarray(photo(40, 30, 4), 'CMYK'), format='JPEG', quality=90)
    save('jpeg-1x1.jpg', rgb.crop((0, 0, 1, 1)), format='JPEG')
    for orientation in range(1, 9):
        save(f'jpeg-exif{orientation}.jpg', rgb.crop((0, 0, 24, 17)), format='JPEG', quality=95, exif=exif_bytes(orientation))


def others():
    rgb = Image.fromarray(photo(33, 21))
    save('webp-lossless.webp', rgb, format='WEBP', lossless=True)
    save('webp-exif8.webp', rgb, format='WEBP', lossless=True, exif=exif_bytes(8))
    frames = [Image.fromarray(photo(33, 21, 3, i)).quantize(64) for i in range(3)]
    save('gif-animated.gif', frames[0], format='GIF', save_all=True, append_images=frames[1:])
    out = io.BytesIO()
    frames[0].save(out, format='GIF', transparency=3, background=5)
    add('gif-transparent.gif', out.getvalue())
    moved = bytearray(out.getvalue())  # on a larger canvas, and on one too small
    descriptor = 13 + 3 * 64 + moved[13 + 3 * 64:].index(b'\x2c')
    for name, screen in (('gif-offset.gif', (45, 30)), ('gif-small-screen.gif', (10, 10))):
        moved[6:10], moved[descriptor + 1:descriptor + 5] = struct.pack('<HH', *screen), struct.pack('<HH', 4, 6)
        add(name, bytes(moved))
    save('gif-interlaced.gif', frames[1], format='GIF', interlace=True)
    save('tiff-rgb.tiff', rgb, format='TIFF')
    save('tiff-lzw.tiff', rgb, format='TIFF', compression='tiff_lzw')
    save('tiff-rgba.tiff', Image.fromarray(photo(33, 21, 4)), format='TIFF', compression='tiff_adobe_deflate')
    out = io.BytesIO()
    rgb.save(out, format='TIFF', compression='jpeg')
    (HERE / 'tiff-jpeg.tiff').write_bytes(out.getvalue())
    save('ppm.ppm', rgb, format='PPM')
    save('jpeg2000.jp2', rgb, format='JPEG2000')
    for width, height, alpha in ((96, 64, False), (33, 21, False), (1, 1, False), (2, 7, True), (35, 20, True)):
        pixels = Image.fromarray(photo(width, height, 4 if alpha else 3, 4))
        save(f'webp-lossy-{width}x{height}.webp', pixels, format='WEBP', quality=80)
    save('webp-animated.webp', Image.fromarray(photo(40, 30, 3, 6)), format='WEBP', save_all=True,
         append_images=[Image.fromarray(photo(40, 30, 3, 7))], quality=70)


# ---- resizing

RESIZE_SIZES = [(53, 37), (106, 74), (20, 11), (7, 91), (53, 11), (80, 37), (1, 1), (336, 5), (33, 33), (54, 38), (52, 36)]


def resizes():
    source = photo(53, 37, 3, 9)
    Image.fromarray(source).save(HERE / 'resize-source.png')
    # extremes, so that sums pass 0 and 255
    hard = (RNG.integers(0, 2, (41, 64, 3)) * 255).astype(np.uint8)
    Image.fromarray(hard).save(HERE / 'resize-hard.png')
    for name, pixels in (('resize-source.png', source), ('resize-hard.png', hard)):
        image = Image.fromarray(pixels)
        for number in range(6):
            for size in RESIZE_SIZES:
                out = image.resize(size, Image.Resampling(number))
                vectors['resize'].append({'file': name, 'filter': number, 'width': size[0], 'height': size[1], 'sha256': sha(out.tobytes())})


# ---- image processors: transformers' image_transforms.py on numpy and Pillow, written out

CLIP_MEAN, CLIP_STD = [0.48145466, 0.4578275, 0.40821073], [0.26862954, 0.26130258, 0.27577711]


def center_crop(a, crop):
    (h, w), (ch, cw) = a.shape[:2], crop
    top, left = (h - ch) // 2, (w - cw) // 2
    if top >= 0 and left >= 0:
        return a[top:top + ch, left:left + cw]
    nh, nw = max(ch, h), max(cw, w)
    new = np.zeros((nh, nw, 3), a.dtype)
    tp, lp = -(-(nh - h) // 2), -(-(nw - w) // 2)
    new[tp:tp + h, lp:lp + w] = a
    top, left = top + tp, left + lp
    return new[max(0, top):min(nh, top + ch), max(0, left):min(nw, left + cw)]


def expand2square(image, background):
    w, h = image.size
    if w == h:
        return image
    side = max(w, h)
    out = Image.new('RGB', (side, side), background)
    out.paste(image, ((side - w) // 2, (side - h) // 2))
    return out


def process(config, image, pad):
    square_default = config.get('image_processor_type', 'CLIP').startswith(('Blip', 'ViT', 'Siglip'))
    mean, std = config.get('image_mean', CLIP_MEAN), config.get('image_std', CLIP_STD)
    if pad:
        image = expand2square(image, tuple(int(m * 255) for m in mean))
    if config.get('do_resize', True):
        size = config['size']
        if isinstance(size, int):
            size = {'height': size, 'width': size} if square_default else {'shortest_edge': size}
        if 'shortest_edge' in size:
            w, h = image.size
            short, long = (w, h) if w <= h else (h, w)
            new_short, new_long = size['shortest_edge'], int(size['shortest_edge'] * long / short)
            if size.get('longest_edge') and new_long > size['longest_edge']:
                new_short, new_long = int(size['longest_edge'] * new_short / new_long), size['longest_edge']
            target = (new_short, new_long) if w <= h else (new_long, new_short)
        else:
            target = (size['width'], size['height'])
        image = image.resize(target, Image.Resampling(config.get('resample', 3)))
    a = np.array(image)
    if config.get('do_center_crop', not square_default):
        crop = config['crop_size']
        a = center_crop(a, (crop, crop) if isinstance(crop, int) else (crop['height'], crop['width']))
    if config.get('do_rescale', True):
        a = (a.astype(np.float64) * config.get('rescale_factor', 1 / 255)).astype(np.float32)
    a = a.astype(np.float32)
    if config.get('do_normalize', True):
        a = (a - np.array(mean, np.float32)) / np.array(std, np.float32)
    return a.transpose(2, 0, 1)


def processes():
    clip = {'image_processor_type': 'CLIPImageProcessor', 'size': {'shortest_edge': 32}, 'crop_size': {'height': 32, 'width': 32}}
    configs = [
        (clip, False), (clip, True),
        ({'feature_extractor_type': 'CLIPFeatureExtractor', 'size': 30, 'crop_size': 30, 'resample': 3}, False),
        ({**clip, 'crop_size': {'height': 45, 'width': 20}}, False),
        ({**clip, 'crop_size': {'height': 41, 'width': 90}}, False),
        ({**clip, 'size': {'shortest_edge': 40, 'longest_edge': 50}}, False),
        ({'image_processor_type': 'LlavaImageProcessorFast', 'do_pad': True, 'size': {'shortest_edge': 36}, 'crop_size': 36, 'rescale_factor': 1 / 255}, True),
        ({'image_processor_type': 'BlipImageProcessor', 'size': {'height': 24, 'width': 31}, 'do_center_crop': False}, False),
        ({'image_processor_type': 'ViTImageProcessor', 'size': 27, 'resample': 2, 'image_mean': [0.5, 0.5, 0.5], 'image_std': [0.5, 0.5, 0.5], 'do_center_crop': False}, False),
        ({'image_processor_type': 'SiglipImageProcessor', 'do_resize': False, 'do_center_crop': False, 'image_mean': [0.5, 0.4, 0.3], 'image_std': [0.5, 0.25, 0.2]}, False),
        ({**clip, 'do_normalize': False, 'rescale_factor': 0.1}, False),
        ({**clip, 'do_rescale': False, 'resample': 1}, False),
    ]
    for config, pad in configs:
        for name in ('resize-source.png', 'png-c2-d8.png', 'jpeg-exif6.jpg'):
            image = ImageOps.exif_transpose(Image.open(HERE / name)).convert('RGB')
            out = process(config, image, pad)
            vectors['process'].append({'file': name, 'config': config, 'pad': pad, 'shape': list(out.shape), 'sha256': sha(np.ascontiguousarray(out, '<f4').tobytes())})


pngs()
bmps()
jpegs()
others()
resizes()
processes()
(HERE / 'pictures.json').write_text(json.dumps(vectors, indent=1) + '\n')
print({k: len(v) for k, v in vectors.items() if isinstance(v, list)}, file=sys.stderr)
