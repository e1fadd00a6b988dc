/* kzg_priv: the one constant of the KZG ceremony that verifying an opening needs. */
#ifndef KL_CRYPTO_KZG_PRIV_H
#define KL_CRYPTO_KZG_PRIV_H

#include "base/int.h"

/* [tau]G2, compressed. */
extern const u8 kl_kzg_tau_g2[96];

#endif
