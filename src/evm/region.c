#include "evm/region_priv.h"

#include <sys/mman.h>

kl_status kl_region_init(struct kl_region *region, usize size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                   -1, 0);
    if (p == MAP_FAILED)
        return KL_NOMEM;
    *region = (struct kl_region){.base = p, .size = size};
    return KL_OK;
}

void kl_region_done(struct kl_region *region)
{
    if (region->base)
        KL_ASSERT(munmap(region->base, region->size) == 0);
    *region = (struct kl_region){0};
}

void kl_region_trim(struct kl_region *region, usize keep)
{
    if (region->used <= keep)
        return;
    KL_ASSERT(madvise(region->base + keep, region->size - keep, MADV_DONTNEED) == 0);
    region->used = keep;
}
