/* codec: bytes in and out.  No decoder allocates beyond an arena it is given, recurses, or trusts a
 * length before the bytes are there; what is wrong with the input comes back as a kl_rule.
 *
 *   rlp.h   Ethereum's recursive length prefix          hex.h   0x data and quantities
 *   json.h  JSON text to a flat tree, and a writer      abi.h   what contracts are called with */
#ifndef KL_CODEC_CODEC_H
#define KL_CODEC_CODEC_H

#include "codec/abi.h"
#include "codec/hex.h"
#include "codec/json.h"
#include "codec/rlp.h"

#endif
