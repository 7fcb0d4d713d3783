// Philox 4x32-10 (Salmon et al., SC 2011), as Philox.cs has it: the counter becomes four random words.
#pragma once
#include "common.cuh"

DI void philox(u32& c0, u32& c1, u32& c2, u32& c3, u64 seed)
{
    u32 k0 = (u32)seed, k1 = (u32)(seed >> 32);
    for (int round = 0; round < 10; round++)
    {
        u64 p0 = 0xD2511F53ull * c0, p1 = 0xCD9E8D57ull * c2;
        c0 = (u32)(p1 >> 32) ^ c1 ^ k0;
        c1 = (u32)p1;
        c2 = (u32)(p0 >> 32) ^ c3 ^ k1;
        c3 = (u32)p0;
        k0 += 0x9E3779B9u;
        k1 += 0xBB67AE85u;
    }
}
