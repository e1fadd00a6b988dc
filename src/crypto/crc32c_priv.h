/* crc32c_priv: the table-driven CRC-32C, for processors without the instruction and for tests. */
#ifndef KL_CRYPTO_CRC32C_PRIV_H
#define KL_CRYPTO_CRC32C_PRIV_H

#include "base/span.h"

u32 kl_crc32c_portable(u32 crc, kl_span bytes);

#endif
