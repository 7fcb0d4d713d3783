[module: System.Runtime.CompilerServices.SkipLocalsInit] // stack buffers are written before they are read
