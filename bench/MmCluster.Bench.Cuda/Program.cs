using System.Globalization;
using MmCluster.Bench.Cuda;
using MmCluster.Tensors;

// Kernels of a GPU through the operations that networks use, at LLaMA-7B's and CLIP-L's shapes: each part of a layer against the bytes it must read
// or the products it must do, then whole decode steps and prefills in a captured graph. Limits are measured in the same run.
// dotnet run -c Release --project bench/MmCluster.Bench.Cuda -- [--layers 32] [--batches 1,8,32,64] [--context 640] [--only decode|prefill|clip] [--parts]
CultureInfo.DefaultThreadCurrentCulture = CultureInfo.CurrentCulture = CultureInfo.InvariantCulture;
string Option(string name, string value)
{
    int at = Array.IndexOf(args, name);
    return at >= 0 && at + 1 < args.Length ? args[at + 1] : value;
}

int layers = int.Parse(Option("--layers", "32"));
int context = int.Parse(Option("--context", "640"));
int[] batches = [.. Option("--batches", "1,8,32,64").Split(',').Select(int.Parse)];
string only = Option("--only", "");
bool parts = args.Contains("--parts");

var gpu = new Gpu();
gpu.MeasureLimits();
Console.WriteLine($"{gpu.Context.Properties.Name}: reads {gpu.ReadRate / 1e12:f2} TB/s, copies {gpu.CopyRate / 1e12:f2} TB/s, products {gpu.ProductRate / 1e12:f0} TFLOP/s");

if (only is "" or "decode" or "prefill")
{
    using var llama = new Llama(gpu, layers);
    if (only != "prefill")
    {
        foreach (int batch in batches)
        {
            Decode(llama, batch);
        }
    }

    if (only != "decode")
    {
        Prefill(llama, "8 x 1024", new([.. Enumerable.Repeat(1024, 8)], new int[8]));
        Prefill(llama, "1 x 1024", new([1024], [0]));
        Prefill(llama, "ragged", new([100, 1900, 333, 700, 1024, 64, 2000, 1500, 571], new int[9]));
        Prefill(llama, "8 x 512 after 512 cached", new([.. Enumerable.Repeat(512, 8)], [.. Enumerable.Repeat(512, 8)]));
        Prefill(llama, "1024 beside 32 decodes", new([.. Enumerable.Repeat(1, 32), 1024], [.. Enumerable.Repeat(context - 1, 32), 0]));
    }
}

if (only is "" or "clip")
{
    var clip = new Clip(gpu);
    foreach (int images in new[] { 1, 16 })
    {
        using var scope = new TensorScope();
        Tensor x = Clip.Input(gpu, images);
        double time = gpu.Microseconds(1, _ => clip.Forward(x));
        Console.WriteLine($"clip {images} images: {time / 1000:f2} ms, {images / time * 1e6:f0} images/s, {images * Clip.Operations / time / 1e6:f0} TFLOP/s");
    }
}

void Decode(Llama llama, int batch)
{
    using var scope = new TensorScope();
    Sequences sequences = Sequences.Decode(batch, context);
    PagedKv[] cache = llama.Cache(sequences.Blocks);
    PagedBatch step = sequences.Batch(gpu);
    if (parts)
    {
        Parts(llama, sequences, step, cache);
    }

    Tensor x = gpu.Random([batch, 4096]);
    double time = gpu.Microseconds(1, _ => llama.Step(x, step, cache, batch));
    double floor = llama.Bytes((long)batch * context) / gpu.ReadRate * 1e6;
    Console.WriteLine($"decode {batch}: {time / 1000:f3} ms, {batch / time * 1e6:f0} tok/s, {floor / time:p1} of reading at {gpu.ReadRate / 1e12:f2} TB/s, "
        + $"{llama.Bytes((long)batch * context) / 2.97e12 * 1e6 / time:p1} at 2.97");
    Dispose(cache);
}

void Prefill(Llama llama, string name, Sequences sequences)
{
    using var scope = new TensorScope();
    PagedKv[] cache = llama.Cache(sequences.Blocks);
    PagedBatch batch = sequences.Batch(gpu);
    if (parts)
    {
        Parts(llama, sequences, batch, cache);
    }

    Tensor x = gpu.Random([sequences.Tokens, 4096]);
    double time = gpu.Microseconds(1, _ => llama.Step(x, batch, cache, sequences.Queries.Length));
    Console.WriteLine($"prefill {name}: {time / 1000:f2} ms, {sequences.Tokens / time * 1e6:f0} tok/s, {llama.Operations(sequences) / time / 1e6:f0} TFLOP/s");
    Dispose(cache);
}

void Parts(Llama llama, Sequences sequences, PagedBatch batch, PagedKv[] cache)
{
    using var scope = new TensorScope();
    foreach ((string name, double time, double bytes, double operations) in llama.Parts(sequences, batch, cache))
    {
        double floor = Math.Max(bytes / gpu.ReadRate, operations / gpu.ProductRate) * 1e6;
        Console.WriteLine($"  {name,-24} {time,8:f1} us a layer, floor {floor,8:f1}, {bytes / time / 1e6:f2} TB/s, {operations / time / 1e6:f0} TFLOP/s");
    }
}

void Dispose(PagedKv[] cache)
{
    foreach (PagedKv kv in cache)
    {
        kv.Dispose();
    }
}
