/* seal: is a header of proof of work sealed as its difficulty asks [YP section 4.3.4, (56)]? */
#ifndef KL_CHAIN_SEAL_H
#define KL_CHAIN_SEAL_H

#include "crypto/ethash.h"
#include "types/header.h"

/* What the miner worked on: the header without mix hash and nonce. */
kl_hash kl_seal_hash(const kl_header *header);

/* HEADER_SEAL unless mix hash and nonce are right; ethash is that of the header's epoch
 * (asserted). */
kl_rule kl_judge_seal(const struct kl_ethash *ethash, const kl_header *header);

#endif
