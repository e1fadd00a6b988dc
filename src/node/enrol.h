/* enrol: a validator's key for a node that has a chain and no key: what a candidate needs before
 * the others vote it in.  And the word for a key that was used elsewhere. */
#ifndef KL_NODE_ENROL_H
#define KL_NODE_ENROL_H

#include "node/node.h"

/* Makes the folder "validator" in config->dir with a new key, under the scheme of the chain, and
 * its sign guard.  Gives the operator's account.  Where there is a key, it stays: *made is false,
 * and the account is that key's.  Else the node must not run (KL_BUSY).  KL_UNSUPPORTED: nobody
 * votes on that chain; fails like kl_node_open too, and the fault is complete. */
KL_MUST_USE kl_status kl_node_enrol(const kl_node_config *config, kl_address *operator, bool * made,
                                    kl_node_fault *fault);

/* The owner's word that the key in dir is used nowhere else, and that its sign guard may lack what
 * it has signed: the node watches first (kl_guard_resume).  The node must not run.  The fault is
 * complete. */
KL_MUST_USE kl_status kl_node_resume(const char *dir, kl_node_fault *fault);

#endif
