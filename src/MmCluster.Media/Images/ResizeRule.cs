namespace MmCluster.Media.Images;

/// <summary>How large a picture becomes before it is cropped.</summary>
public abstract record ResizeRule
{
    private ResizeRule()
    {
    }

    /// <summary>The size that a picture of this size gets.</summary>
    /// <param name="width">Columns.</param>
    /// <param name="height">Rows.</param>
    public abstract (int Width, int Height) Apply(int width, int height);

    /// <summary>Always the same size; the aspect ratio is lost.</summary>
    /// <param name="Width">Columns of the result.</param>
    /// <param name="Height">Rows of the result.</param>
    public sealed record Exact(int Width, int Height) : ResizeRule
    {
        /// <inheritdoc/>
        public override (int Width, int Height) Apply(int width, int height) => (Width, Height);
    }

    /// <summary>
    /// The shorter side becomes <paramref name="Edge"/> and the longer <c>int(Edge * long / short)</c>, as transformers'
    /// <c>get_resize_output_image_size</c>.
    /// </summary>
    /// <param name="Edge">Pixels of the shorter side.</param>
    /// <param name="LongestEdge">Where the longer side would be longer than this it becomes this, and the shorter shrinks along; null for no bound.</param>
    public sealed record ShortestEdge(int Edge, int? LongestEdge = null) : ResizeRule
    {
        /// <inheritdoc/>
        public override (int Width, int Height) Apply(int width, int height)
        {
            (int shorter, int longer) = width <= height ? (width, height) : (height, width);
            (int newShort, int newLong) = (Edge, checked((int)((double)((long)Edge * longer) / shorter)));
            if (LongestEdge is { } most && newLong > most)
            {
                (newShort, newLong) = (Math.Max(1, (int)((double)((long)most * newShort) / newLong)), most);
            }
            return width <= height ? (newShort, newLong) : (newLong, newShort);
        }
    }
}
