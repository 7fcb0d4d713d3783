using System.Buffers;
using System.Runtime.Intrinsics;
using MmCluster.Media.Images;

namespace MmCluster.Cli.Evaluation;

/// <summary>
/// Draws scenes: a background, then each object's sprite sampled bilinearly at four points of a pixel, in doubles and in a fixed order, so
/// that other languages draw the same bytes. Safe to call from any thread.
/// </summary>
internal sealed class Composer(IReadOnlyList<Sprite> sprites, int side)
{
    private static readonly double[] Offsets = [0.25, 0.75];

    /// <summary>The picture of a scene; the caller disposes it.</summary>
    public Picture Compose(Scene scene)
    {
        double[] canvas = ArrayPool<double>.Shared.Rent(side * side * 3);
        Picture picture = Picture.Allocate(side, side);
        Ground.Paint(scene.Background, side, canvas);
        foreach (Thing thing in scene.Things)
        {
            Draw(thing, sprites[thing.Kind], canvas);
        }
        Span<byte> pixels = picture.Pixels;
        for (int i = 0; i < pixels.Length; i++)
        {
            pixels[i] = (byte)Math.Clamp(Math.Floor(canvas[i] + 0.5), 0, 255);
        }
        ArrayPool<double>.Shared.Return(canvas);
        return picture;
    }

    private void Draw(Thing thing, Sprite sprite, double[] canvas)
    {
        int n = sprite.Side;
        double[] texels = ArrayPool<double>.Shared.Rent(n * n * 4);
        sprite.Premultiply(texels);
        int reach = (int)(thing.Size * 0.75) + 2;
        (int left, int right) = (Math.Max(0, thing.X - reach), Math.Min(side, thing.X + reach));
        (int top, int bottom) = (Math.Max(0, thing.Y - reach), Math.Min(side, thing.Y + reach));
        (double sin, double cos) = (Math.Sin(thing.Angle * (Math.PI / 180)), Math.Cos(thing.Angle * (Math.PI / 180)));
        for (int y = top; y < bottom; y++)
        {
            for (int x = left; x < right; x++)
            {
                Vector256<double> total = Vector256<double>.Zero;
                foreach (double offsetY in Offsets)
                {
                    foreach (double offsetX in Offsets)
                    {
                        double dx = x + offsetX - thing.X, dy = y + offsetY - thing.Y;
                        double u = ((cos * dx) + (sin * dy)) / thing.Size, v = ((cos * dy) - (sin * dx)) / thing.Size;
                        total += Sample(texels, n, (((thing.Mirrored ? -u : u) + 0.5) * n) - 0.5, ((v + 0.5) * n) - 0.5);
                    }
                }
                total /= 4;
                int at = ((y * side) + x) * 3;
                double rest = 1 - total[3];
                canvas[at] = (canvas[at] * rest) + total[0];
                canvas[at + 1] = (canvas[at + 1] * rest) + total[1];
                canvas[at + 2] = (canvas[at + 2] * rest) + total[2];
            }
        }
        ArrayPool<double>.Shared.Return(texels);
    }

    // Outside the sprite all is transparent.
    private static Vector256<double> Sample(ReadOnlySpan<double> texels, int n, double u, double v)
    {
        if (u <= -1 || v <= -1 || u >= n || v >= n)
        {
            return Vector256<double>.Zero;
        }
        int x = (int)Math.Floor(u), y = (int)Math.Floor(v);
        double fx = u - x, fy = v - y;
        return Texel(texels, n, x, y, (1 - fx) * (1 - fy))
            + Texel(texels, n, x + 1, y, fx * (1 - fy))
            + Texel(texels, n, x, y + 1, (1 - fx) * fy)
            + Texel(texels, n, x + 1, y + 1, fx * fy);
    }

    private static Vector256<double> Texel(ReadOnlySpan<double> texels, int n, int x, int y, double weight) =>
        (uint)x < (uint)n && (uint)y < (uint)n ? Vector256.Create(texels.Slice(((y * n) + x) * 4, 4)) * weight : Vector256<double>.Zero;
}
