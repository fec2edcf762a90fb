// AMX matrix products of 8-bit integers. The emulated form runs the same code over
// tiles held in memory, so that its logic is tested on machines without AMX.
#ifndef MNK_AMX_H
#define MNK_AMX_H
#include "mneme_kernels.h"
/// See mnk_gemm_int8 and mnk_gemm_tiles. The emulated ones give the same bits,
/// slowly.
void mnk_amx_gemm(const mnk_gemm *g);
void mnk_amx_gemm_emulated(const mnk_gemm *g);
void mnk_amx_tiles(const mnk_tiles *g);
void mnk_amx_tiles_emulated(const mnk_tiles *g);
/// See groups.h.
void mnk_amx_groups(const mnk_tiles *g);
void mnk_amx_groups_emulated(const mnk_tiles *g);
/// AMX for whole groups of rows and for a last one that nearly fills its tiles, and `others` for the
/// rest.
void mnk_gemm_by_amx(uint32_t features, const mnk_tiles *g, void (*others)(uint32_t, const mnk_tiles *));
#endif
