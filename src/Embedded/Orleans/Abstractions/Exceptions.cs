namespace Orleans.Runtime
{
    /// <summary>Base of the errors that the runtime itself raises.</summary>
    [GenerateSerializer]
    public class OrleansException : Exception
    {
        /// <summary>An error without a text.</summary>
        public OrleansException()
            : base("Unexpected error.")
        {
        }

        /// <summary>An error that says <paramref name="message"/>.</summary>
        public OrleansException(string message)
            : base(message)
        {
        }

        /// <summary>An error that says <paramref name="message"/> and has a cause.</summary>
        public OrleansException(string message, Exception? innerException)
            : base(message, innerException)
        {
        }
    }

    /// <summary>A message was not delivered and will not be.</summary>
    [GenerateSerializer]
    public class OrleansMessageRejectionException : OrleansException
    {
        internal OrleansMessageRejectionException(string message)
            : base(message)
        {
        }

        internal OrleansMessageRejectionException(string message, Exception? innerException)
            : base(message, innerException)
        {
        }
    }

    /// <summary>The silo that a call was sent to has died, is going away, or cannot be reached.</summary>
    [GenerateSerializer]
    public sealed class SiloUnavailableException : OrleansMessageRejectionException
    {
        /// <summary>An error without a text.</summary>
        public SiloUnavailableException()
            : base("SiloUnavailableException")
        {
        }

        /// <summary>An error that says <paramref name="msg"/>.</summary>
        public SiloUnavailableException(string msg)
            : base(msg)
        {
        }

        /// <summary>An error that says <paramref name="message"/> and has a cause.</summary>
        public SiloUnavailableException(string message, Exception? innerException)
            : base(message, innerException)
        {
        }
    }

    /// <summary>The client that an observer belongs to is not connected.</summary>
    [GenerateSerializer]
    internal sealed class ClientNotAvailableException(string message) : OrleansException(message);

    /// <summary>The remote enumerator was lost: its activation went away, or nobody asked it for longer than the response timeout.</summary>
    [GenerateSerializer]
    public sealed class EnumerationAbortedException : Exception
    {
        /// <summary>An error without a text.</summary>
        public EnumerationAbortedException()
        {
        }

        /// <summary>An error that says <paramref name="message"/>.</summary>
        public EnumerationAbortedException(string message)
            : base(message)
        {
        }

        /// <summary>An error that says <paramref name="message"/> and has a cause.</summary>
        public EnumerationAbortedException(string message, Exception? innerException)
            : base(message, innerException)
        {
        }
    }
}

namespace Orleans.Storage
{
    /// <summary>The stored state was changed by someone else since it was read: the etags differ.</summary>
    [GenerateSerializer]
    public class InconsistentStateException : Orleans.Runtime.OrleansException
    {
        /// <summary>An error without a text.</summary>
        public InconsistentStateException()
        {
        }

        /// <summary>An error that says <paramref name="message"/>.</summary>
        public InconsistentStateException(string message)
            : base(message)
        {
        }

        /// <summary>An error that says <paramref name="message"/> and has a cause.</summary>
        public InconsistentStateException(string message, Exception? innerException)
            : base(message, innerException)
        {
        }

        /// <summary>An error with both etags and its cause.</summary>
        public InconsistentStateException(string errorMsg, string? storedEtag, string? currentEtag, Exception? storageException)
            : base(errorMsg, storageException)
        {
            StoredEtag = storedEtag;
            CurrentEtag = currentEtag;
        }

        /// <summary>An error with both etags.</summary>
        public InconsistentStateException(string errorMsg, string? storedEtag, string? currentEtag)
            : this(errorMsg, storedEtag, currentEtag, null)
        {
        }

        /// <summary>The etag in the store.</summary>
        [Id(0)]
        public string? StoredEtag { get; private set; }

        /// <summary>The etag that the writer had.</summary>
        [Id(1)]
        public string? CurrentEtag { get; private set; }

        // Whether the exception left the activation whose state it is about: only that one is deactivated.
        [Id(2)]
        internal bool IsSourceActivation { get; set; } = true;

        /// <inheritdoc/>
        public override string ToString() =>
            $"{GetType().Name}: {Message} Expected Etag={CurrentEtag} Received Etag={StoredEtag} {InnerException}";
    }
}
