using MmCluster.Models.Checkpoints;

namespace MmCluster.Models.Tests.Backbones;

/// <summary>LLaMA's forward pass in double precision, straight from the paper's formulas: the naive twin of the network.</summary>
internal sealed class NaiveLlama(Checkpoint checkpoint, int heads, int kvHeads, int headDim, double theta, double epsilon, Func<double, double> activation, int? window)
{
    /// <summary>Logits of every position, row by row.</summary>
    public double[][] Logits(int[] ids)
    {
        double[][] table = Matrix("model.embed_tokens.weight");
        double[][] x = [.. ids.Select(id => (double[])table[id].Clone())];
        for (int layer = 0; checkpoint.Tensors.ContainsKey($"model.layers.{layer}.input_layernorm.weight"); layer++)
        {
            string at = $"model.layers.{layer}.";
            x = Add(x, Attend(at + "self_attn.", Norm(x, at + "input_layernorm.weight")));
            x = Add(x, Mix(at + "mlp.", Norm(x, at + "post_attention_layernorm.weight")));
        }
        string head = checkpoint.Tensors.ContainsKey("lm_head.weight") ? "lm_head.weight" : "model.embed_tokens.weight";
        return Product(Norm(x, "model.norm.weight"), Matrix(head), null);
    }

    private double[][] Attend(string at, double[][] x)
    {
        double[][] q = Project(at + "q_proj", x);
        double[][] k = Project(at + "k_proj", x);
        double[][] v = Project(at + "v_proj", x);
        double[][] mixed = [.. x.Select(_ => new double[heads * headDim])];
        for (int i = 0; i < x.Length; i++)
        {
            for (int h = 0; h < heads; h++)
            {
                int shared = h * kvHeads / heads;
                double[] query = Turn(q[i], h, i);
                int first = Math.Max(0, i - (window ?? int.MaxValue) + 1);
                double[] scores = [.. Enumerable.Range(first, i - first + 1).Select(j => Dot(query, Turn(k[j], shared, j)) / Math.Sqrt(headDim))];
                double[] weights = [.. scores.Select(score => Math.Exp(score - scores.Max()))];
                for (int d = 0; d < headDim; d++)
                {
                    mixed[i][(h * headDim) + d] = weights.Select((weight, j) => weight * v[first + j][(shared * headDim) + d]).Sum() / weights.Sum();
                }
            }
        }
        return Project(at + "o_proj", mixed);
    }

    private double[] Turn(double[] row, int head, int position)
    {
        double[] x = row[(head * headDim)..((head + 1) * headDim)];
        int half = headDim / 2;
        double[] turned = new double[headDim];
        for (int i = 0; i < half; i++)
        {
            double angle = position * Math.Pow(theta, -2.0 * i / headDim);
            turned[i] = (x[i] * Math.Cos(angle)) - (x[i + half] * Math.Sin(angle));
            turned[i + half] = (x[i + half] * Math.Cos(angle)) + (x[i] * Math.Sin(angle));
        }
        return turned;
    }

    private double[][] Mix(string at, double[][] x)
    {
        double[][] gate = Project(at + "gate_proj", x);
        double[][] up = Project(at + "up_proj", x);
        return Project(at + "down_proj", [.. gate.Zip(up, (g, u) => g.Zip(u, (a, b) => activation(a) * b).ToArray())]);
    }

    private double[][] Norm(double[][] x, string name)
    {
        double[] weight = Vector(name)!;
        return [.. x.Select(row =>
        {
            double scale = 1 / Math.Sqrt((row.Sum(value => value * value) / row.Length) + epsilon);
            return row.Zip(weight, (value, w) => value * scale * w).ToArray();
        })];
    }

    private double[][] Project(string at, double[][] x) => Product(x, Matrix(at + ".weight"), Vector(at + ".bias"));

    private static double[][] Product(double[][] x, double[][] weight, double[]? bias) =>
        [.. x.Select(row => weight.Select((w, i) => Dot(row, w) + (bias?[i] ?? 0)).ToArray())];

    private static double[][] Add(double[][] a, double[][] b) => [.. a.Zip(b, (x, y) => x.Zip(y, (u, v) => u + v).ToArray())];

    private static double Dot(double[] a, double[] b) => a.Zip(b, (x, y) => x * y).Sum();

    private double[][] Matrix(string name)
    {
        double[] values = Vector(name)!;
        return [.. values.Chunk((int)checkpoint.Tensors[name].Shape[1])];
    }

    private double[]? Vector(string name)
    {
        if (!checkpoint.Tensors.TryGetValue(name, out StoredTensor? stored))
        {
            return null;
        }
        float[] values = new float[stored.ElementCount];
        stored.Read(0, values);
        return [.. values.Select(value => (double)value)];
    }
}
