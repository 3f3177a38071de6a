ept_iter_test_SRCS = ../module/mmu/iter.c
ept_iter_test_CFLAGS = -Iunit/shim -I../module/mmu '-DMMU_TABLE_VA(hpa)=((u64 *)(uintptr_t)(hpa))'
