// SPDX-License-Identifier: GPL-2.0
/*
 * The walk of a guest's page tables: every combination of rights and modes
 * against the manual's rules written down as a table of their own, then large
 * pages, reserved bits, accessed and dirty flags, and tables that change under
 * the walk.
 */
#include "tap.h"
#include "paging.h"

#define WRITE	PAGING_WRITE
#define FETCH	PAGING_FETCH
#define USER	PAGING_USER
#define SYSTEM	PAGING_SYSTEM

#define P	1ULL
#define RW	2ULL
#define US	4ULL
#define A	0x20ULL
#define D	0x40ULL
#define PS	0x80ULL
#define NX	(1ULL << 63)

#define WP	(1ULL << 16)
#define PSE	(1ULL << 4)
#define PAE	(1ULL << 5)
#define LA57	(1ULL << 12)
#define SMEP	(1ULL << 20)
#define SMAP	(1ULL << 21)
#define PKE	(1ULL << 22)
#define LMA	(1ULL << 10)
#define NXE	(1ULL << 11)

#define E_P	1
#define E_W	2
#define E_U	4
#define E_RSVD	8
#define E_I	16
#define E_PK	32

/* Guest memory: table number n is at (n + 1) * 4096. */
#define TABLES	8
static u8 mem[(TABLES + 1) * 4096];
static int reads, writes, meddle;

static u64 *entry(int table, int index)
{
	return (u64 *)(mem + (table + 1) * 4096) + index;
}

static u64 table_gpa(int table)
{
	return (table + 1) * 4096;
}

static int t_read(const struct paging *p, u64 gpa, u64 *e, u32 size)
{
	(void)p;
	reads++;
	if (gpa + size > sizeof(mem) || gpa % size)
		return -EFAULT;
	*e = 0;
	memcpy(e, mem + gpa, size);
	return 0;
}

static int t_cmpxchg(const struct paging *p, u64 gpa, u64 old, u64 new, u32 size)
{
	u64 now = 0;

	(void)p;
	if (gpa + size > sizeof(mem))
		return -EFAULT;
	if (meddle) {			/* somebody is always faster */
		meddle--;
		mem[gpa + 1] ^= 8;	/* a bit for software */
	}
	memcpy(&now, mem + gpa, size);
	if (now != old)
		return -EAGAIN;
	memcpy(mem + gpa, &new, size);
	writes++;
	return 0;
}

static const struct paging_ops ops = { .read = t_read, .cmpxchg = t_cmpxchg };

static struct paging state(u64 cr4, u64 efer)
{
	struct paging p = { .ops = &ops, .cr0 = WP, .cr3 = table_gpa(0), .cr4 = cr4,
			    .efer = efer, .reserved = 0xfff0000000000ULL, .gbpages = true };

	return p;
}

static u64 gpa;
static u32 error;

static int walk(const struct paging *p, u64 gva, u32 access)
{
	gpa = ~0ULL;
	error = ~0u;
	return paging_walk(p, gva, access, &gpa, &error);
}

/* Four levels (five with LA57) to @leaf, upper entries with all rights. */
static void map_long(int levels, u64 gva, u64 leaf)
{
	int l;

	memset(mem, 0, sizeof(mem));
	for (l = levels; l > 1; l--)
		*entry(levels - l, gva >> (12 + 9 * (l - 1)) & 0x1ff) =
			table_gpa(levels - l + 1) | P | RW | US;
	*entry(levels - 1, gva >> 12 & 0x1ff) = leaf;
}

/* ---- rights -------------------------------------------------------------------- */

/*
 * "Determination of Access Rights": is the access allowed? Written from the
 * manual's sentences, not from the code under test.
 */
static bool allowed(u64 leaf, u32 access, bool wp, u64 cr4, bool nxe, bool ac, u32 pkru)
{
	bool user_page = leaf & US, user = (access & USER) && !(access & SYSTEM);
	bool ad = pkru & 1, wd = pkru & 2;	/* of key 0, the only one used here */

	if (access & FETCH) {
		if (nxe && (leaf & NX))
			return false;
		return user ? user_page : !(user_page && (cr4 & SMEP));
	}
	if ((cr4 & PKE) && user_page && ad)
		return false;
	if ((cr4 & PKE) && user_page && wd && (access & WRITE) && (user || wp))
		return false;
	if (user)
		return user_page && (!(access & WRITE) || (leaf & RW));
	if (user_page && (cr4 & SMAP) && ((access & SYSTEM) || !ac))
		return false;
	return !(access & WRITE) || (leaf & RW) || !wp;
}

static void test_rights(void)
{
	static const u32 accesses[] = { 0, WRITE, FETCH, USER, USER | WRITE, USER | FETCH,
					SYSTEM, SYSTEM | WRITE, SYSTEM | USER };
	const u64 gva = 0x00007f8123456789ULL;
	unsigned int wrong = 0, combos = 0, bits, a, k;

	for (bits = 0; bits < 512; bits++) {
		u64 leaf = 0x5555000 | P | (bits & 1 ? RW : 0) | (bits & 2 ? US : 0) |
			   (bits & 4 ? NX : 0);
		bool nxe = bits & 8, wp = bits & 16, ac = bits & 32;
		u64 cr4 = PAE | (bits & 64 ? SMEP : 0) | (bits & 128 ? SMAP : 0) |
			  (bits & 256 ? PKE : 0);

		if ((leaf & NX) && !nxe)	/* reserved, tested elsewhere */
			continue;
		for (a = 0; a < sizeof(accesses) / sizeof(accesses[0]); a++) {
			for (k = 0; k < 4; k++) {
				struct paging p = state(cr4, LMA | (nxe ? NXE : 0));
				bool want = allowed(leaf, accesses[a], wp, cr4, nxe, ac, k);
				u32 want_error = E_P;
				int r;

				p.cr0 = wp ? WP : 0;
				p.ac = ac && (cr4 & SMAP);
				p.pkru = k;
				map_long(4, gva, leaf);
				r = walk(&p, gva, accesses[a]);
				combos++;
				if ((r == 0) != want || (want && gpa != 0x5555789)) {
					wrong++;
					continue;
				}
				if (want)
					continue;
				if (accesses[a] & WRITE)
					want_error |= E_W;
				if ((accesses[a] & USER) && !(accesses[a] & SYSTEM))
					want_error |= E_U;
				if ((accesses[a] & FETCH) && (nxe || (cr4 & SMEP)))
					want_error |= E_I;
				if ((error & ~E_PK) != want_error)
					wrong++;
			}
		}
	}
	tap_ok(!wrong && combos > 10000, "rights: %u combinations, %u wrong", combos, wrong);
}

static void test_upper_levels(void)
{
	const u64 gva = 0x00007f8123456789ULL;
	struct paging p = state(PAE, LMA | NXE);
	int l;

	for (l = 0; l < 3; l++) {
		u64 *e;

		map_long(4, gva, 0x5555000 | P | RW | US);
		e = entry(l, gva >> (39 - 9 * l) & 0x1ff);
		*e &= ~RW;
		tap_ok(walk(&p, gva, WRITE | USER) && error == (E_P | E_W | E_U),
		       "level %d read-only: all below it is", 4 - l);
		*e = (*e | RW) & ~US;
		tap_ok(walk(&p, gva, USER) && error == (E_P | E_U),
		       "level %d supervisor: all below it is", 4 - l);
		*e |= US | NX;
		tap_ok(walk(&p, gva, FETCH) && error == (E_P | E_I),
		       "level %d execute-disable: all below it is", 4 - l);
		*e = 0;
		tap_ok(walk(&p, gva, WRITE) && error == E_W, "level %d not present", 4 - l);
	}
}

static void test_pkey_error(void)
{
	struct paging p = state(PAE | PKE, LMA);

	map_long(4, 0, 0x5000 | P | RW | US | 5ULL << 59);
	p.pkru = 1 << 10;
	tap_ok(walk(&p, 0, USER) && error == (E_P | E_U | E_PK), "protection key 5: access disabled");
	p.pkru = 2 << 10;
	tap_ok(!walk(&p, 0, USER) && walk(&p, 0, USER | WRITE) && error == (E_P | E_W | E_U | E_PK),
	       "protection key 5: writes disabled");
	p.pkru = ~(3u << 10);
	tap_ok(!walk(&p, 0, USER | WRITE), "the other keys do not count");
}

/* ---- sizes and modes ------------------------------------------------------------ */

static void test_long_pages(void)
{
	const u64 gva = 0x0000123456789abcULL;
	struct paging p = state(PAE, LMA);

	map_long(4, gva, 0);
	*entry(2, gva >> 21 & 0x1ff) = 0xabc00000 | P | RW | US | PS;
	tap_ok(!walk(&p, gva, 0) && gpa == (0xabc00000 | (gva & 0x1fffff)), "2 MiB page");
	*entry(2, gva >> 21 & 0x1ff) |= 1 << 13;
	tap_ok(walk(&p, gva, 0) && error == (E_P | E_RSVD), "2 MiB page: bit 13 is reserved");
	*entry(2, gva >> 21 & 0x1ff) = 0xabc01000 | P | RW | US | PS;
	tap_ok(!walk(&p, gva, 0) && gpa == (0xabc00000 | (gva & 0x1fffff)), "2 MiB page: bit 12 is PAT");

	*entry(1, gva >> 30 & 0x1ff) = 0x7c0000000 | P | RW | US | PS;
	tap_ok(!walk(&p, gva, 0) && gpa == (0x7c0000000 | (gva & 0x3fffffff)), "1 GiB page");
	p.gbpages = false;
	tap_ok(walk(&p, gva, 0) && error == (E_P | E_RSVD), "1 GiB page that the CPU does not have");

	p = state(PAE, LMA);
	map_long(4, gva, 0x5000 | P);
	*entry(0, gva >> 39 & 0x1ff) |= PS;
	tap_ok(walk(&p, gva, 0) && error == (E_P | E_RSVD), "no 512 GiB pages");
	map_long(4, gva, 0x5000 | P | NX);
	tap_ok(walk(&p, gva, USER) && error == (E_P | E_U | E_RSVD), "NX is reserved without EFER.NXE");
	map_long(4, gva, 0x5000 | P | 1ULL << 40);
	tap_ok(walk(&p, gva, 0) && error == (E_P | E_RSVD), "address bits the guest does not have");
	map_long(4, gva, (0x5000 | 1ULL << 40) & ~P);
	tap_ok(walk(&p, gva, 0) && error == 0, "no bit of an absent entry is reserved");

	p = state(PAE | LA57, LMA);
	map_long(5, 0x00fedcba98765432ULL, 0x5000 | P);
	tap_ok(!walk(&p, 0x00fedcba98765432ULL, 0) && gpa == 0x5432, "five levels");
}

static void test_pae(void)
{
	const u32 gva = 0xc1234567;
	struct paging p = state(PAE, NXE);

	memset(mem, 0, sizeof(mem));
	p.cr3 = table_gpa(0) + 0x20;	/* 32-byte aligned, not page aligned */
	*entry(0, 4 + 3) = table_gpa(1) | P;
	*entry(1, gva >> 21 & 0x1ff) = table_gpa(2) | P | RW | US;
	*entry(2, gva >> 12 & 0x1ff) = 0x5555000 | P | RW | US;
	tap_ok(!walk(&p, gva, USER | WRITE) && gpa == 0x5555567, "PAE: the PDPTE gives no rights");
	tap_ok(!(*entry(0, 7) & A), "PAE: the PDPTE has no accessed flag");
	*entry(2, gva >> 12 & 0x1ff) |= NX;
	tap_ok(walk(&p, gva, FETCH) && error == (E_P | E_I), "PAE: execute-disable");
	*entry(2, gva >> 12 & 0x1ff) |= 1ULL << 52;
	tap_ok(walk(&p, gva, 0) && error == (E_P | E_RSVD), "PAE: bits 62:52 are reserved");
	*entry(0, 7) |= RW;
	tap_ok(walk(&p, gva, 0) && error == (E_P | E_RSVD), "PAE: bit 1 of a PDPTE is reserved");
	*entry(0, 7) = 0;
	tap_ok(walk(&p, gva, WRITE) && error == E_W, "PAE: absent PDPTE");
}

static void test_legacy(void)
{
	const u32 gva = 0xc1234567;
	struct paging p = state(0, NXE);
	u32 *dir = (u32 *)entry(0, 0), *tab = (u32 *)entry(1, 0);

	memset(mem, 0, sizeof(mem));
	dir[gva >> 22] = table_gpa(1) | P | RW | US;
	tab[gva >> 12 & 0x3ff] = 0x87654000 | P | RW | US;
	tap_ok(!walk(&p, gva, USER | WRITE) && gpa == 0x87654567, "32-bit: two levels of 1024");
	tap_ok((dir[gva >> 22] & A) && (tab[gva >> 12 & 0x3ff] & D), "32-bit: accessed and dirty");

	dir[gva >> 22] = 0x40000000 | P | RW | US | PS;
	p.cr4 = PSE;
	tap_ok(!walk(&p, gva, 0) && gpa == (0x40000000 | (gva & 0x3fffff)), "32-bit: 4 MiB page");
	dir[gva >> 22] |= 0x5a << 13;
	tap_ok(!walk(&p, gva, 0) && gpa == (0x5a40000000ULL | (gva & 0x3fffff)),
	       "32-bit: PSE-36 gives address bits 39:32");
	dir[gva >> 22] |= 1 << 21;
	tap_ok(walk(&p, gva, 0) && error == (E_P | E_RSVD), "32-bit: bit 21 of a 4 MiB page");
	tap_ok(walk(&p, 0, FETCH) && error == 0, "32-bit: no instruction bit without SMEP");

	p.cr4 = 0;
	dir[gva >> 22] = table_gpa(1) | P | RW | US | PS;
	tap_ok(!walk(&p, gva, 0) && gpa == 0x87654567, "32-bit: PS is ignored without CR4.PSE");
}

/* ---- accessed and dirty, and who else writes -------------------------------------- */

/* The entries a walk went through, as they are after it. */
static void test_path(void)
{
	struct paging_path path = { .nr = 77 };
	struct paging p = state(PAE, LMA);
	bool same = true;
	int i;

	map_long(4, 0x7000, 0x5000 | P | RW);
	p.path = &path;
	tap_ok(!walk(&p, 0x7000, WRITE) && path.nr == 4 && path.entry_size == 8,
	       "a walk tells the entries it went through");
	for (i = 0; i < path.nr; i++)
		same &= path.pte[i] == *(u64 *)(mem + path.at[i]);
	tap_ok(same && path.at[3] == table_gpa(3) + 7 * 8 && (path.pte[3] & (A | D)) == (A | D),
	       "... with the accessed and dirty flags that it set");
	map_long(4, 0x7000, 0);
	path.nr = 77;
	tap_ok(walk(&p, 0x7000, WRITE) && path.nr == 77, "... and nothing if it fails");
}

static void test_flags(void)
{
	struct paging p = state(PAE, LMA);
	u64 leaf;

	map_long(4, 0, 0x5000 | P | RW);
	tap_ok(!walk(&p, 0, 0) && (*entry(0, 0) & A) && (*entry(3, 0) & (A | D)) == A,
	       "a read sets A on the way and not D");
	tap_ok(!walk(&p, 0, WRITE) && (*entry(3, 0) & D) && !(*entry(2, 0) & D),
	       "a write sets D in the leaf only");
	writes = 0;
	tap_ok(!walk(&p, 0, WRITE) && !writes, "what is set is not written again");

	map_long(4, 0, 0x5000 | P);
	leaf = *entry(3, 0);
	tap_ok(walk(&p, 0, WRITE) && *entry(3, 0) == leaf && !(*entry(0, 0) & A),
	       "a walk that faults sets nothing");

	map_long(4, 0, 0x5000 | P | RW);
	meddle = 3;
	tap_ok(!walk(&p, 0, WRITE) && (*entry(3, 0) & (A | D)) == (A | D) && !meddle,
	       "tables that change are walked again");
	map_long(4, 0, 0x5000 | P | RW);
	meddle = 1000000;
	reads = 0;
	tap_ok(walk(&p, 0, WRITE) && reads < 10000, "but not for ever");
	meddle = 0;

	test_path();
	p.cr3 = sizeof(mem);
	tap_ok(walk(&p, 0, WRITE) && error == E_W, "tables outside memory are not present");
	map_long(4, 0, 0xfffff000 | P | RW);
	p = state(PAE, LMA);
	tap_ok(!walk(&p, 0x123, 0) && gpa == 0xfffff123, "the page itself need not be memory");
}

int main(void)
{
	tap_plan(0);
	test_rights();
	test_upper_levels();
	test_pkey_error();
	test_long_pages();
	test_pae();
	test_legacy();
	test_flags();
	return tap_done();
}
