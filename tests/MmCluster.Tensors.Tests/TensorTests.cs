namespace MmCluster.Tensors.Tests;

public sealed class TensorTests
{
    [Fact]
    public void Values_come_back_in_row_major_order()
    {
        using var scope = new TensorScope();
        Tensor x = Tensor.From([1f, 2, 3, 4, 5, 6], [2, 3]);
        Assert.Equal([1f, 4, 2, 5, 3, 6], x.Transpose(0, 1).ToArray<float>());
        Assert.Equal([2f, 5], x.Select(1, 1).ToArray<float>());
        Assert.Equal([3f, 6], x.Slice(1, -1).ToArray<float>());
        Assert.Equal([1f, 3, 4, 6], x.Slice(1, 0, step: 2).ToArray<float>());
        Assert.Equal(new Shape(3, 2), x.Reshape(-1, 2).Shape);
    }

    [Fact]
    public void A_reshape_of_a_permuted_tensor_is_a_view_where_it_can_be()
    {
        using var scope = new TensorScope();
        Tensor x = Tensor.From(Enumerable.Range(0, 24).Select(i => (float)i).ToArray(), [2, 3, 4]);
        Tensor moved = x.Permute(2, 0, 1);
        Tensor view = moved.Reshape(4, 6);
        Assert.Equal(moved.ToArray<float>(), view.ToArray<float>());
        x.AsSpan<float>()[0] = 99;
        Assert.Equal(99, view.ToArray<float>()[0]);
        Assert.Equal(x.Permute(0, 2, 1).ToArray<float>(), x.Permute(0, 2, 1).Reshape(24).ToArray<float>());
    }

    [Fact]
    public void Expanded_axes_repeat_and_cannot_be_written()
    {
        using var scope = new TensorScope();
        Tensor x = Tensor.Of(1f, 2).Unsqueeze(1).Expand([3, 2, 2]);
        Assert.Equal([1f, 1, 2, 2, 1, 1, 2, 2, 1, 1, 2, 2], x.ToArray<float>());
        Assert.Contains("repeats", Assert.Throws<ArgumentException>(() => x.CopyFrom(x)).Message, StringComparison.Ordinal);
        Assert.Throws<ArgumentException>(() => x.Expand([3, 2, 4]));
    }

    [Fact]
    public void A_tensor_ends_with_its_scope_unless_kept()
    {
        Tensor lost, kept;
        using (var scope = new TensorScope())
        {
            lost = Tensor.Ones([4]);
            Tensor whole = Tensor.Ones([4]);
            kept = scope.Keep(whole.Slice(0, 1, 3));
        }

        Assert.Throws<ObjectDisposedException>(() => lost.ToArray<float>());
        Assert.Equal([1f, 1], kept.ToArray<float>());
        kept.Dispose();
        kept.Dispose();
        Assert.True(kept.IsDisposed);
    }

    [Fact]
    public void A_kept_tensor_belongs_to_the_scope_around()
    {
        using var outer = new TensorScope();
        Tensor result;
        using (var middle = new TensorScope())
        {
            using (var inner = new TensorScope(recycle: true))
            {
                result = inner.Keep(Tensor.Ones([2]));
            }

            Assert.False(result.IsDisposed);
        }

        Assert.True(result.IsDisposed);
    }

    [Fact]
    public void Scopes_end_in_reverse_order()
    {
        var outer = new TensorScope();
        var inner = new TensorScope();
        bool refused = false;
        try
        {
            outer.Dispose();
        }
        catch (InvalidOperationException)
        {
            refused = true;
        }

        inner.Dispose();
        outer.Dispose();
        Assert.True(refused);
    }

    [Fact]
    public void A_recycling_scope_allocates_nothing_once_warm()
    {
        static void Step()
        {
            using var scope = new TensorScope(recycle: true);
            Tensor x = Tensor.Zeros([16, 64]);
            using (var inner = new TensorScope())
            {
                inner.Keep(x.Slice(1, 0, 32).Clone().Reshape(-1));
            }

            x.Select(0, 3).Dispose();
            Ops.Add(x, x, x).Mul(2f).Silu();
            Ops.SiluMul(x.Slice(1, 0, 32), x.Slice(1, 32));
        }

        for (int i = 0; i < 50; i++)
        {
            Step();
        }

        long before = GC.GetAllocatedBytesForCurrentThread();
        Step();
        Assert.Equal(0, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [Fact]
    public void Memory_of_others_is_read_in_place_and_not_written()
    {
        float[] values = GC.AllocateArray<float>(6, pinned: true);
        values[4] = 7;
        nint address;
        unsafe
        {
            fixed (float* p = values)
            {
                address = (nint)p;
            }
        }

        using Tensor x = Tensor.FromMemory(address, 24, [2, 3], DType.F32, values);
        values[5] = 8;
        Assert.Equal([0f, 7, 8], x.Slice(0, 1).ToArray<float>());
        Assert.Throws<ArgumentException>(() => x.AsSpan<float>());
        Assert.Contains("24 bytes", Assert.Throws<ArgumentException>(
            () => Tensor.FromMemory(address, 23, [2, 3], DType.F32, values)).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(DType.F16, 1.0009766f, 1.0009766f)]
    [InlineData(DType.BF16, 1.00390625f, 1f)] // a tie goes to even
    [InlineData(DType.I64, -2.9f, -2f)]
    [InlineData(DType.I32, 2.9f, 2f)]
    [InlineData(DType.U8, 200.5f, 200f)]
    [InlineData(DType.Bool, 0.25f, 1f)]
    public void Conversions_round_as_written(DType dtype, float value, float expected)
    {
        using var scope = new TensorScope();
        Assert.Equal([expected], Tensor.Of(value).To(dtype).To(DType.F32).ToArray<float>());
    }

    [Fact]
    public void A_large_shape_is_counted_not_wrapped()
    {
        Assert.Equal(1L << 40, new Shape(1 << 20, 1 << 20).ElementCount);
        Assert.Throws<ArgumentException>(() => new Shape(1 << 30, 1 << 30, 1 << 30));
        Assert.Throws<ArgumentException>(() => new Shape(1, -1));
        Assert.Equal("[2, 3]", new Shape(2, 3).ToString());
        Assert.Equal(1, default(Shape).ElementCount);
    }

    [Fact]
    public void Memory_of_others_may_begin_at_an_odd_byte()
    {
        using var scope = new TensorScope();
        byte[] bytes = GC.AllocateArray<byte>(41, pinned: true);
        for (int i = 0; i < 10; i++)
        {
            BitConverter.TryWriteBytes(bytes.AsSpan(1 + (4 * i)), i + 0.5f);
        }

        Tensor x = Tensor.FromMemory(System.Runtime.InteropServices.Marshal.UnsafeAddrOfPinnedArrayElement(bytes, 1), 40, [10], DType.F32, bytes);
        Assert.Equal(Enumerable.Range(0, 10).Select(i => i + 1f), (x + 0.5f).ToArray<float>());
    }
}
