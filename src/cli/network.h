/* network: the chain spec that a blockchain test's "network" names. */
#ifndef KL_CLI_NETWORK_H
#define KL_CLI_NETWORK_H

#include "types/spec.h"

/* "Osaka", "BerlinToLondonAt5", "ParisToShanghaiAtTime15k", "ArrowGlacierToParisAtDiffC0000",
 * "HomesteadToDaoAt5"; false for a name with a fork in it that is not known. */
KL_MUST_USE bool kl_network_spec(kl_spec *out, const char *name);

#endif
