#include "wallet/wallet.h"

#include <stdlib.h>
#include <sys/mman.h>

#include "wallet/mnemonic.h"

struct account {
    kl_secret32 key;
    kl_address address;
};

struct kl_wallet {
    usize count, bytes;
    struct account accounts[];
};

/* Memory for secrets comes in whole pages of its own: it is kept out of swap where the limit on
 * locked memory allows, and out of core dumps always. */
static struct kl_wallet *wallet_new(usize count)
{
    usize bytes = sizeof(struct kl_wallet) + count * sizeof(struct account);
    struct kl_wallet *wallet =
        mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (wallet == MAP_FAILED)
        return NULL;
    (void)mlock(wallet, bytes);
    (void)madvise(wallet, bytes, MADV_DONTDUMP);
    wallet->count = count;
    wallet->bytes = bytes;
    return wallet;
}

void kl_wallet_free(struct kl_wallet *wallet)
{
    if (!wallet)
        return;
    usize bytes = wallet->bytes;
    kl_wipe(wallet, bytes);
    munmap(wallet, bytes);
}

/* m/44'/60'/0'/0 [BIP-44, SLIP-44: 60 is Ether]. */
static bool ethereum_branch(kl_hd_key *out, kl_span mnemonic, kl_span passphrase)
{
    static const u32 path[] = {44 | KL_HD_HARDENED, 60 | KL_HD_HARDENED, 0 | KL_HD_HARDENED, 0};
    u8 seed[KL_SEED_LEN];
    kl_mnemonic_seed(seed, mnemonic, passphrase);
    bool good = kl_hd_master(out, seed);
    kl_wipe(seed, sizeof seed);
    for (usize i = 0; i < KL_COUNT_OF(path) && good; i++)
        good = kl_hd_child(out, out, path[i]);
    return good;
}

static bool derive(struct account *out, const kl_hd_key *branch, u32 index)
{
    KL_CLEANUP(kl_hd_key_wipe) kl_hd_key child;
    kl_pubkey pubkey;
    if (!kl_hd_child(&child, branch, index) || !kl_secp256k1_pubkey(&pubkey, &child.key))
        return false;
    out->key = child.key;
    out->address = kl_address_of_pubkey(&pubkey);
    return true;
}

kl_status kl_wallet_from_mnemonic(struct kl_wallet **out, kl_span mnemonic, kl_span passphrase,
                                  usize count, bool *bad)
{
    KL_ASSERT(count <= KL_WALLET_MAX);
    KL_CLEANUP(kl_hd_key_wipe) kl_hd_key branch;
    *bad = !kl_mnemonic_valid(mnemonic) || !ethereum_branch(&branch, mnemonic, passphrase);
    if (*bad)
        return KL_OK;
    struct kl_wallet *wallet = wallet_new(count);
    if (!wallet)
        return KL_NOMEM;
    for (usize i = 0; i < count && !*bad; i++)
        *bad = !derive(&wallet->accounts[i], &branch, (u32)i);
    if (*bad)
        kl_wallet_free(wallet);
    else
        *out = wallet;
    return KL_OK;
}

usize kl_wallet_count(const struct kl_wallet *wallet)
{
    return wallet->count;
}

const kl_address *kl_wallet_address(const struct kl_wallet *wallet, usize index)
{
    KL_ASSERT(index < wallet->count);
    return &wallet->accounts[index].address;
}

usize kl_wallet_find(const struct kl_wallet *wallet, const kl_address *address)
{
    for (usize i = 0; i < wallet->count; i++)
        if (kl_address_eq(&wallet->accounts[i].address, address))
            return i;
    return SIZE_MAX;
}

void kl_wallet_sign(const struct kl_wallet *wallet, usize index, const kl_hash *digest,
                    kl_signature *out)
{
    KL_ASSERT(index < wallet->count);
    KL_ASSERT(kl_secp256k1_sign(out, digest, &wallet->accounts[index].key));
}

void kl_wallet_reveal(const struct kl_wallet *wallet, usize index, kl_secret32 *out)
{
    KL_ASSERT(index < wallet->count);
    *out = wallet->accounts[index].key;
}
