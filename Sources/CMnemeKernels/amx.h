// AMX matrix products; `kind` 0 is bf16, 1 is int8. The emulated form runs the same code over
// tiles held in memory, so that its logic is tested on machines without AMX.
#ifndef MNK_AMX_H
#define MNK_AMX_H
#include "mneme_kernels.h"
void mnk_amx_gemm(const mnk_gemm *g, int kind);
void mnk_amx_gemm_emulated(const mnk_gemm *g, int kind);
void mnk_amx_tiles(const mnk_tiles *g);
void mnk_amx_tiles_emulated(const mnk_tiles *g);
#endif
