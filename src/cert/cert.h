/* cert: what validators sign, and what their signatures prove.
 *
 *   consensus_header.h  what stands behind a block's extraData
 *   valset.h            who may vote, and with what weight          scheme.h       how they sign
 *   vote.h              proposals and votes                         certificate.h  a quorum's votes
 *   evidence.h          two votes that no honest validator signs both
 *   randao.h            a leader's share of the chain's randomness
 *   policy.h            who votes in the next epoch
 *
 * Pure functions over plain values: no clock, no state, no allocation beyond an arena or buffer of
 * the caller's.  Decoders take bytes from outside and return a kl_rule; every length and count is
 * bounded before it is used.  Everything here is format: docs/formats/consensus.md draws it. */
#ifndef KL_CERT_CERT_H
#define KL_CERT_CERT_H

#include "cert/certificate.h"
#include "cert/consensus_header.h"
#include "cert/evidence.h"
#include "cert/policy.h"
#include "cert/randao.h"
#include "cert/scheme.h"
#include "cert/valset.h"
#include "cert/vote.h"

#endif
