/* types: the nouns of the chain, how they are spelled in bytes, and the chain spec.
 *
 *   fork.h     Ethereum's forks, a table               tx.h       transactions of all types
 *   spec.h     what a chain's members agreed on        header.h   block headers
 *   genesis.h  the file it is written in               block.h    whole blocks
 *   account.h  accounts                                receipt.h  receipts, logs, blooms
 *   intrinsic.h  what a transaction costs before it runs, and what it can be judged by alone
 *   senders.h  who signed what, remembered */
#ifndef KL_TYPES_TYPES_H
#define KL_TYPES_TYPES_H

#include "types/account.h"
#include "types/block.h"
#include "types/fork.h"
#include "types/genesis.h"
#include "types/header.h"
#include "types/intrinsic.h"
#include "types/receipt.h"
#include "types/senders.h"
#include "types/spec.h"
#include "types/tx.h"

#endif
