/* modexp_priv: what the tests of modexp look at. */
#ifndef KL_CRYPTO_MODEXP_PRIV_H
#define KL_CRYPTO_MODEXP_PRIV_H

#include "crypto/modexp.h"

/* The same, taking at most room_max bytes of working memory from the heap beforehand (KL_NOMEM
 * where more are needed); *spilled is how many bytes had to be taken on the way all the same. */
KL_MUST_USE kl_status kl_modexp_within(u8 *out, usize room_max, usize *spilled, kl_span base,
                                       kl_span exponent, kl_span modulus);

#endif
