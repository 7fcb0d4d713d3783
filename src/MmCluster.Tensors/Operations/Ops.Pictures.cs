namespace MmCluster.Tensors;

/// <summary>How pictures are resampled.</summary>
public enum InterpolationMode
{
    /// <summary>Triangle kernel.</summary>
    Bilinear,

    /// <summary>Keys' cubic kernel: a = -0.75, or -0.5 with antialiasing.</summary>
    Bicubic,
}

// Pictures and convolutions.
public static partial class Ops
{
    /// <summary>Resamples pictures to another size, as PyTorch's interpolate does for a given size.</summary>
    /// <param name="x">[N, C, H, W]</param>
    /// <param name="height">Rows of the result.</param>
    /// <param name="width">Columns of the result.</param>
    /// <param name="mode">Kernel.</param>
    /// <param name="alignCorners">Whether corner pixels' centres map to each other.</param>
    /// <param name="antialias">Whether the kernel widens when shrinking.</param>
    /// <exception cref="ArgumentException">Not four axes, or an empty picture.</exception>
    public static Tensor Interpolate(
        this Tensor x, int height, int width, InterpolationMode mode = InterpolationMode.Bilinear, bool alignCorners = false, bool antialias = false)
    {
        if (x.Rank != 4 || x.Shape[2] == 0 || x.Shape[3] == 0 || height < 1 || width < 1)
        {
            throw new ArgumentException($"interpolate: expected [N, C, H, W] with pixels and a size, got {x.Shape} to {height} x {width}");
        }

        using Tensor wide = ToFloat("interpolate", x);
        using Tensor dense = wide.Contiguous();
        Tensor output = Tensor.Empty([x.Shape[0], x.Shape[1], height, width], dense.DType, x.Device);
        x.Device.Backend.Interpolate(dense, output, mode, alignCorners, antialias);
        return output;
    }

    /// <summary>The patches that a convolution multiplies: [N, Hout * Wout, C * kernel * kernel], in the order of a weight [Cout, C, kh, kw].</summary>
    /// <param name="x">[N, C, H, W]</param>
    /// <param name="kernel">Rows and columns of a patch.</param>
    /// <param name="stride">Pixels between patches.</param>
    /// <param name="padding">Zeros around the picture.</param>
    /// <param name="dilation">Pixels between a patch's elements.</param>
    /// <exception cref="ArgumentException">The patch does not fit the padded picture.</exception>
    public static Tensor Unfold(
        this Tensor x, (int Rows, int Columns) kernel, (int Rows, int Columns) stride, (int Rows, int Columns) padding = default,
        (int Rows, int Columns)? dilation = null)
    {
        (int dilationY, int dilationX) = dilation ?? (1, 1);
        int reachY = checked((dilationY * (kernel.Rows - 1)) + 1);
        int reachX = checked((dilationX * (kernel.Columns - 1)) + 1);
        if (x.Rank != 4 || kernel.Rows < 1 || kernel.Columns < 1 || stride.Rows < 1 || stride.Columns < 1 || dilationX < 1 || dilationY < 1
            || padding.Rows < 0 || padding.Columns < 0 || x.Shape[2] + (2 * padding.Rows) < reachY || x.Shape[3] + (2 * padding.Columns) < reachX)
        {
            throw new ArgumentException(
                $"unfold: kernel {kernel}, stride {stride}, padding {padding}, dilation {(dilationY, dilationX)} do not fit {x.Shape}");
        }

        using Tensor padded = padding == (0, 0)
            ? x.View(x.Shape, x.StridesCopy(), x.Offset)
            : x.Pad([padding.Columns, padding.Columns, padding.Rows, padding.Rows]);
        int rows = ((padded.Shape[2] - reachY) / stride.Rows) + 1;
        int columns = ((padded.Shape[3] - reachX) / stride.Columns) + 1;
        Strides strides = default;
        (strides[0], strides[1], strides[2]) = (padded.Stride(0), padded.Stride(2) * stride.Rows, padded.Stride(3) * stride.Columns);
        (strides[3], strides[4], strides[5]) = (padded.Stride(1), padded.Stride(2) * dilationY, padded.Stride(3) * dilationX);
        using Tensor view = padded.View([x.Shape[0], rows, columns, x.Shape[1], kernel.Rows, kernel.Columns], strides, padded.Offset);
        using Tensor patches = view.Clone();
        return patches.Reshape(x.Shape[0], rows * columns, x.Shape[1] * kernel.Rows * kernel.Columns);
    }

    /// <summary>Convolution of pictures. For a weight that is used often, pack it and use <see cref="Unfold"/> and Linear.</summary>
    /// <param name="x">[N, C, H, W]</param>
    /// <param name="weight">[Cout, C / groups, kh, kw]</param>
    /// <param name="bias">F32 [Cout] or null.</param>
    /// <param name="stride">Pixels between outputs.</param>
    /// <param name="padding">Zeros around the picture.</param>
    /// <param name="dilation">Pixels between a kernel's elements.</param>
    /// <param name="groups">Channel groups that do not mix.</param>
    /// <exception cref="ArgumentException">Shapes do not fit.</exception>
    public static Tensor Conv2d(
        this Tensor x, Tensor weight, Tensor? bias = null, int stride = 1, int padding = 0, int dilation = 1, int groups = 1)
    {
        if (x.Rank != 4 || weight.Rank != 4 || groups < 1 || weight.Shape[0] % groups != 0 || x.Shape[1] != weight.Shape[1] * groups)
        {
            throw new ArgumentException($"conv2d: x {x.Shape} and weight {weight.Shape} with {groups} groups do not fit");
        }

        (int Rows, int Columns) kernel = (weight.Shape[2], weight.Shape[3]);
        int outputs = weight.Shape[0] / groups;
        int height = ((x.Shape[2] + (2 * padding) - (dilation * (kernel.Rows - 1)) - 1) / stride) + 1;
        int width = ((x.Shape[3] + (2 * padding) - (dilation * (kernel.Columns - 1)) - 1) / stride) + 1;
        var parts = new Tensor[groups];
        for (int g = 0; g < groups; g++)
        {
            using Tensor own = x.Slice(1, g * weight.Shape[1], (g + 1) * weight.Shape[1]);
            using Tensor patches = own.Unfold(kernel, (stride, stride), (padding, padding), (dilation, dilation));
            using Tensor rows = weight.Slice(0, g * outputs, (g + 1) * outputs);
            using Tensor matrix = rows.Reshape(outputs, -1);
            using Tensor? shift = bias?.Slice(0, g * outputs, (g + 1) * outputs);
            using Tensor y = patches.Linear(matrix, shift);
            using Tensor moved = y.Transpose(1, 2);
            parts[g] = moved.Reshape(x.Shape[0], outputs, height, width);
        }

        Tensor result = groups == 1 ? parts[0] : Cat(parts, 1);
        for (int g = 0; g < groups && groups > 1; g++)
        {
            parts[g].Dispose();
        }

        return result.IsContiguous ? result : Dense(result);
    }

    private static Tensor Dense(Tensor x)
    {
        using (x)
        {
            return x.Clone();
        }
    }
}
