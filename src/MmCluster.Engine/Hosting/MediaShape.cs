using MmCluster.Models;

namespace MmCluster.Engine.Hosting;

/// <summary>What a way of media into a model takes where a sender has done a part of it already.</summary>
/// <param name="Positions">Rows that an item becomes.</param>
/// <param name="Width">Elements of a row.</param>
/// <param name="InputHeight">Rows of the pictures that its encoder takes.</param>
/// <param name="InputWidth">Pixels of such a row.</param>
public readonly record struct MediaShape(int Positions, int Width, int InputHeight, int InputWidth)
{
    /// <summary>Lets files through, and values of a shape that fits.</summary>
    /// <exception cref="MmException">InvalidArgument, naming the item and the shapes that fit.</exception>
    public void Check(MediaItem item)
    {
        if (item.Shape is { } shape && !shape.SequenceEqual([Positions, Width]) && !shape.SequenceEqual([3, InputHeight, InputWidth]))
        {
            throw new MmException(
                MmErrorCode.InvalidArgument,
                $"{item.Name}: a tensor of [{string.Join(", ", shape)}] fits nowhere; pixels are [3, {InputHeight}, {InputWidth}], features [{Positions}, {Width}]")
            {
                Param = item.Name,
            };
        }
    }
}
