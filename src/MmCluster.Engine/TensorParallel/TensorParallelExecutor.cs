using MmCluster.Models;
using MmCluster.Tensors;

namespace MmCluster.Engine.TensorParallel;

/// <summary>
/// An executor over the ranks of a tensor-parallel group, each with its part of every layer and of the KV cache. All ranks take every plan and draw every token from the
/// same logits, so that nothing but the layers' sums goes between them; the first one's result is the step's. design/012-tensor-parallel.md tells why.
/// </summary>
public sealed class TensorParallelExecutor : IModelExecutor
{
    private readonly RankTeam _team;
    private readonly IRankExecutor?[] _ranks;
    private readonly StepResult[] _results;
    private readonly Action<int> _execute;
    private readonly Action<int> _restore;
    private readonly ExecutorDescription _description;
    private StepPlan _plan;
    private MmException? _lost;

    /// <summary>Creates the ranks' executors, each on its rank's thread; the group stays the caller's and must outlive the executor.</summary>
    /// <param name="groups">The group's ends, in the order of the ranks.</param>
    /// <param name="make">Makes a rank's executor; all are made at the same time, since making one runs the network.</param>
    /// <exception cref="Exception">What making one has thrown.</exception>
    internal TensorParallelExecutor(IReadOnlyList<ProcessGroup> groups, Func<int, IRankExecutor> make)
    {
        _team = new RankTeam(groups);
        _ranks = new IRankExecutor?[groups.Count];
        _results = [.. groups.Select(_ => new StepResult())];
        _execute = Execute;
        _restore = rank => _ranks[rank]!.Restore();
        try
        {
            _team.Run(rank => _ranks[rank] = make(rank));
            _description = Join();
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    /// <summary>The ranks' executors, in order. They belong to this.</summary>
    public IEnumerable<IModelExecutor> Ranks => _ranks.Select(rank => rank!);

    /// <inheritdoc/>
    public ExecutorDescription Describe() => _description;

    /// <inheritdoc/>
    public void Execute(in StepPlan plan, StepResult result)
    {
        result.Clear();
        if (_lost is not null)
        {
            throw _lost;
        }
        _plan = plan;
        try
        {
            _team.Run(_execute);
            CheckAgreement();
        }
        catch (Exception error)
        {
            throw Recover(error);
        }
        finally
        {
            _plan = default;
        }
        result.CopyFrom(_results[0]);
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (IRankExecutor? rank in _ranks)
        {
            rank?.Dispose();
        }
        _team.Dispose();
    }

    private void Execute(int rank) => _ranks[rank]!.Execute(_plan, _results[rank]);

    // A rank that draws another token has other keys from there on: better no answer than a wrong one.
    private void CheckAgreement()
    {
        StepResult first = _results[0];
        for (int rank = 1; rank < _results.Length; rank++)
        {
            StepResult other = _results[rank];
            bool agrees = other.Step == first.Step && other.Tokens.Count == first.Tokens.Count;
            for (int i = 0; agrees && i < first.Tokens.Count; i++)
            {
                agrees = other.Tokens[i].Id == first.Tokens[i].Id;
            }
            if (!agrees)
            {
                throw new MmException(MmErrorCode.Internal, $"tensor parallel: rank {rank} drew other tokens than rank 0 in step {first.Step}");
            }
        }
    }

    // No plan in flight counts on any rank. What was recorded of the ranks' calls went with their group, and is made anew with it.
    private Exception Recover(Exception error)
    {
        foreach (IRankExecutor? rank in _ranks)
        {
            rank!.Reset();
        }
        try
        {
            _team.Restore();
            _team.Run(_restore);
            return error;
        }
        catch (Exception final)
        {
            _lost = new MmException(
                MmErrorCode.Unavailable, $"the ranks have lost each other, the model has to be loaded again: {final.Message} (after: {error.Message})", final);
            _team.GiveUp(_lost);
            return _lost;
        }
    }

    // The least of each; blocks have the same ids on all ranks.
    private ExecutorDescription Join()
    {
        ExecutorDescription joined = _ranks[0]!.Describe();
        foreach (IRankExecutor? rank in _ranks)
        {
            ExecutorDescription other = rank!.Describe();
            joined = joined with
            {
                BlockCount = Math.Min(joined.BlockCount, other.BlockCount),
                BlockBytes = Math.Max(joined.BlockBytes, other.BlockBytes),
            };
        }
        return joined;
    }
}
