/* What built-in contracts cost [YP appendix E]. */
#include "evm/gas_priv.h"
#include "evm/precompile_priv.h"

#define FAILS UINT64_MAX

u64 kl_pre_gas_ecrecover(KL_UNUSED kl_span in, KL_UNUSED kl_fork fork)
{
    return 3000;
}

u64 kl_pre_gas_sha256(kl_span in, KL_UNUSED kl_fork fork)
{
    return 60 + 12 * kl_words(in.len);
}

u64 kl_pre_gas_ripemd160(kl_span in, KL_UNUSED kl_fork fork)
{
    return 600 + 120 * kl_words(in.len);
}

u64 kl_pre_gas_identity(kl_span in, KL_UNUSED kl_fork fork)
{
    return 15 + 3 * kl_words(in.len);
}

/* The bit length of the exponent's first 32 bytes, less one, and per_byte for each byte behind; for
 * an exponent of more bytes than can be counted, more than any product below may be. */
static u128 modexp_rounds(kl_span in, const kl_modexp_len *len, u64 per_byte)
{
    if (len->exponent == UINT64_MAX)
        return (u128)1 << 127;
    u8 head[32] = {0};
    usize head_len = (usize)KL_MIN(len->exponent, 32);
    u64 offset = kl_add_sat_u64(KL_MODEXP_HEAD, len->base);
    kl_pre_copy(head + 32 - head_len, head_len, in, offset);
    unsigned bits = kl_u256_bits(kl_u256_from_be(head));
    u128 rounds = (u128)(len->exponent - head_len) * per_byte + (bits ? bits - 1 : 0);
    return rounds ? rounds : 1;
}

/* The price of multiplying numbers of len bytes [EIP-198]. */
static u128 square_198(u64 len)
{
    u128 x = len;
    return x <= 64 ? x * x : x <= 1024 ? x * x / 4 + 96 * x - 3072 : x * x / 16 + 480 * x - 199680;
}

/* The same by 8-byte words [EIP-2565]. */
static u128 square_2565(u64 len)
{
    u128 words = ((u128)len + 7) / 8;
    return words * words;
}

/* a * b / divisor, or KL_GAS_NEVER when it is more. */
static u64 product(u128 a, u128 b, u64 divisor)
{
    u128 most = ((u128)KL_GAS_NEVER + 1) * divisor - 1; /* the largest product that is affordable */
    if (a != 0 && b > most / a)
        return KL_GAS_NEVER;
    return (u64)(a * b / divisor);
}

u64 kl_pre_gas_modexp(kl_span in, kl_fork fork)
{
    kl_modexp_len len = kl_modexp_lengths(in);
    u64 longest = KL_MAX(len.base, len.modulus);
    if (fork >= KL_OSAKA) {
        if (longest > 1024 || len.exponent > 1024) /* [EIP-7823] */
            return FAILS;
        u128 square = longest <= 32 ? 16 : 2 * square_2565(longest);
        return KL_MAX(500, product(square, modexp_rounds(in, &len, 16), 1)); /* [EIP-7883] */
    }
    u128 rounds = modexp_rounds(in, &len, 8);
    if (fork >= KL_BERLIN)
        return KL_MAX(200, product(square_2565(longest), rounds, 3)); /* [EIP-2565] */
    return product(square_198(longest), rounds, 20);
}

/* [EIP-196], [EIP-197], repriced by [EIP-1108] */
u64 kl_pre_gas_bn254_add(KL_UNUSED kl_span in, kl_fork fork)
{
    return fork >= KL_ISTANBUL ? 150 : 500;
}

u64 kl_pre_gas_bn254_mul(KL_UNUSED kl_span in, kl_fork fork)
{
    return fork >= KL_ISTANBUL ? 6000 : 40000;
}

u64 kl_pre_gas_bn254_pairing(kl_span in, kl_fork fork)
{
    u64 pairs = in.len / 192;
    return fork >= KL_ISTANBUL ? 45000 + 34000 * pairs : 100000 + 80000 * pairs;
}

/* [EIP-152]: one a round. */
u64 kl_pre_gas_blake2f(kl_span in, KL_UNUSED kl_fork fork)
{
    return in.len == 213 ? kl_load_be32(in.p) : FAILS;
}

/* [EIP-4844] */
u64 kl_pre_gas_point_evaluation(KL_UNUSED kl_span in, KL_UNUSED kl_fork fork)
{
    return 50000;
}

/* [EIP-2537] */
u64 kl_pre_gas_bls12_g1_add(KL_UNUSED kl_span in, KL_UNUSED kl_fork fork)
{
    return 375;
}

u64 kl_pre_gas_bls12_g2_add(KL_UNUSED kl_span in, KL_UNUSED kl_fork fork)
{
    return 600;
}

/* Many multiplications at once are cheaper: the k-th entry is the price of each of k in 1/1000. */
#define DISCOUNTS 128
static const u16 g1_discount[DISCOUNTS] = {
    1000, 949, 848, 797, 764, 750, 738, 728, 719, 712, 705, 698, 692, 687, 682, 677, 673, 669, 665,
    661,  658, 654, 651, 648, 645, 642, 640, 637, 635, 632, 630, 627, 625, 623, 621, 619, 617, 615,
    613,  611, 609, 608, 606, 604, 603, 601, 599, 598, 596, 595, 593, 592, 591, 589, 588, 586, 585,
    584,  582, 581, 580, 579, 577, 576, 575, 574, 573, 572, 570, 569, 568, 567, 566, 565, 564, 563,
    562,  561, 560, 559, 558, 557, 556, 555, 554, 553, 552, 551, 550, 549, 548, 547, 547, 546, 545,
    544,  543, 542, 541, 540, 540, 539, 538, 537, 536, 536, 535, 534, 533, 532, 532, 531, 530, 529,
    528,  528, 527, 526, 525, 525, 524, 523, 522, 522, 521, 520, 520, 519};
static const u16 g2_discount[DISCOUNTS] = {
    1000, 1000, 923, 884, 855, 832, 812, 796, 782, 770, 759, 749, 740, 732, 724, 717, 711, 704, 699,
    693,  688,  683, 679, 674, 670, 666, 663, 659, 655, 652, 649, 646, 643, 640, 637, 634, 632, 629,
    627,  624,  622, 620, 618, 615, 613, 611, 609, 607, 606, 604, 602, 600, 598, 597, 595, 593, 592,
    590,  589,  587, 586, 584, 583, 582, 580, 579, 578, 576, 575, 574, 573, 571, 570, 569, 568, 567,
    566,  565,  563, 562, 561, 560, 559, 558, 557, 556, 555, 554, 553, 552, 552, 551, 550, 549, 548,
    547,  546,  545, 545, 544, 543, 542, 541, 541, 540, 539, 538, 537, 537, 536, 535, 535, 534, 533,
    532,  532,  531, 530, 530, 529, 528, 528, 527, 526, 526, 525, 524, 524};

static u64 sum_price(usize len, usize pair_len, u64 each, const u16 *discount)
{
    u64 k = len / pair_len;
    if (k == 0 || len % pair_len != 0)
        return FAILS;
    return k * each * discount[KL_MIN(k, DISCOUNTS) - 1] / 1000;
}

u64 kl_pre_gas_bls12_g1_msm(kl_span in, KL_UNUSED kl_fork fork)
{
    return sum_price(in.len, 160, 12000, g1_discount);
}

u64 kl_pre_gas_bls12_g2_msm(kl_span in, KL_UNUSED kl_fork fork)
{
    return sum_price(in.len, 288, 22500, g2_discount);
}

u64 kl_pre_gas_bls12_pairing(kl_span in, KL_UNUSED kl_fork fork)
{
    return in.len && in.len % 384 == 0 ? 37700 + 32600 * (in.len / 384) : FAILS;
}

u64 kl_pre_gas_bls12_map_fp(KL_UNUSED kl_span in, KL_UNUSED kl_fork fork)
{
    return 5500;
}

u64 kl_pre_gas_bls12_map_fp2(KL_UNUSED kl_span in, KL_UNUSED kl_fork fork)
{
    return 23800;
}

/* [EIP-7951] */
u64 kl_pre_gas_p256verify(KL_UNUSED kl_span in, KL_UNUSED kl_fork fork)
{
    return 6900;
}
