/* SPDX-License-Identifier: GPL-2.0 */
/*
 * An open qcow2 image, and what the files that implement the format share.
 *
 * Facts are from the qcow2 specification ("Qcow2 Image File Format", docs/interop/qcow2.txt of QEMU
 * 7.2), whose terms are used: cluster, refcount table and refcount blocks, L1 and L2 tables.
 *
 * Order of writes. Killed at any moment, the image has every flushed byte and no reference to a
 * cluster whose refcount is 0 on disk:
 *  - a refcount becomes 1 in memory, then data goes to the cluster, then the L2 entry changes in
 *    memory. A flush writes refcounts, makes them and the data stable, then writes L2 and L1
 *    entries.
 *  - a refcount is decremented only when the entry that no longer refers to the cluster is stable,
 *    and the cluster is not given to another before (struct free_list).
 *  - what cannot be ordered so (snapshots, growing tables) is written to new places, and the
 *    header's first sector switches over (qcow2_rebuild.c).
 *
 * Locks: flush_lock, then lock. lock guards everything in struct qcow2 and is not held while data
 * is transferred; flush_lock is held by whoever writes cached metadata.
 */
#ifndef MKVM_BLOCK_QCOW2_INT_H
#define MKVM_BLOCK_QCOW2_INT_H

#include <endian.h>
#include <pthread.h>

#include "block/file.h"
#include "block/format.h"
#include "block/qcow2.h"
#include "types.h"

#define QCOW2_MAGIC		0x514649fbU
#define MIN_CLUSTER_BITS	9
#define MAX_CLUSTER_BITS	21
#define MAX_PAGE		4096U
#define MAX_L1_BYTES		(32U << 20)
#define MAX_REFTABLE_BYTES	(8U << 20)
#define MAX_SNAPSHOTS		65536U
#define MAX_SNAPSHOT_BYTES	(64U << 20)
#define MAX_SNAPSHOT_EXTRA	1024U

#define INCOMPAT_DIRTY		BIT_ULL(0)
#define INCOMPAT_CORRUPT	BIT_ULL(1)
#define INCOMPAT_DATA_FILE	BIT_ULL(2)
#define INCOMPAT_COMPRESSION	BIT_ULL(3)
#define INCOMPAT_EXTENDED_L2	BIT_ULL(4)
#define COMPAT_LAZY_REFCOUNTS	BIT_ULL(0)
#define AUTOCLEAR_BITMAPS	BIT_ULL(0)

#define EXT_END			0U
#define EXT_BACKING_FORMAT	0xe2792acaU
#define EXT_FEATURE_NAMES	0x6803f857U
#define EXT_BITMAPS		0x23852875U

/* Offsets of header fields. */
enum header_field {
	H_MAGIC = 0, H_VERSION = 4, H_BACKING_OFFSET = 8, H_BACKING_SIZE = 16, H_CLUSTER_BITS = 20,
	H_SIZE = 24, H_CRYPT = 32, H_L1_SIZE = 36, H_L1_OFFSET = 40, H_REFTABLE_OFFSET = 48,
	H_REFTABLE_CLUSTERS = 56, H_NR_SNAPSHOTS = 60, H_SNAPSHOTS_OFFSET = 64,
	H_V2_LENGTH = 72,
	H_INCOMPAT = 72, H_COMPAT = 80, H_AUTOCLEAR = 88, H_REFCOUNT_ORDER = 96, H_LENGTH = 100,
	H_COMPRESSION = 104, H_V3_LENGTH = 104, H_OUR_LENGTH = 112,
};

/* L1 and L2 entries. */
#define ENTRY_COPIED		BIT_ULL(63)
#define ENTRY_COMPRESSED	BIT_ULL(62)
#define ENTRY_ZERO		BIT_ULL(0)
#define ENTRY_OFFSET		0x00fffffffffffe00ULL
#define L1_RESERVED		0x7f000000000001ffULL
#define L2_RESERVED		0x3f000000000001feULL
#define REFTABLE_RESERVED	0x1ffULL
#define MAX_HOST_OFFSET		(1ULL << 56)
#define MAX_IMAGE_SIZE		(1ULL << 62)

/* What a host cluster of metadata is, for the check before each write. */
enum meta_type {
	META_NONE, META_HEADER, META_L1, META_L2, META_REFTABLE, META_REFBLOCK, META_SNAPSHOTS,
	META_SNAPSHOT_L1, META_INCONSISTENT,
};

/**
 * struct page - a cached piece of an L2 table or refcount block, big-endian as in the file
 * @offset: in the file; a multiple of the image's page size
 * @type: META_L2 or META_REFBLOCK
 * @dirty: changed since it was last written
 * @pins: a writer has a copy of it that is not yet in the file
 * @chain: next in its hash bucket
 * @newer, @older: neighbours in the order of use
 */
struct page {
	u64 offset;
	enum meta_type type;
	bool dirty;
	unsigned int pins;
	u8 *data;
	struct page *chain, *newer, *older;
};

/**
 * struct table - the L1 or the refcount table: always in memory as a whole
 * @offset: in the file
 * @size: entries
 * @entries: in host byte order
 * @dirty: a flag for each page of the table in the file
 * @nr_dirty: how many are set
 */
struct table {
	enum meta_type type;
	u64 offset;
	u32 size;
	u64 *entries;
	bool *dirty;
	unsigned int nr_dirty;
};

/**
 * struct free_list - references to host clusters that are gone
 * @runs: @nr of them, room for @room; each is one reference less for @clusters clusters from @first
 */
struct free_run {
	u64 first, clusters;
	bool punch;	/* the guest discarded it: give the space to the host */
};

struct free_list {
	struct free_run *runs;
	size_t nr, room;
};

/**
 * struct allocation - a write that has host clusters, but whose L2 entries do not yet say so
 * @first: guest cluster
 * @clusters: how many
 */
struct allocation {
	u64 first, clusters;
	struct allocation *next;
};

struct meta_slot {
	u64 cluster;	/* + 1; 0: empty */
	enum meta_type type;
};

/**
 * struct qcow2 - an open image; the fields after @lock are guarded by it
 * @blk: what others see
 * @file: owned
 * @head: the first sector of the header as it is in the file
 * @page_size: unit in which metadata is cached and written: a cluster, at most MAX_PAGE
 * @writable_checked: the first write has been prepared: autoclear bits, dirty bit, corrupt bit
 * @users: transfers and holders that rely on the mapping; @exclusive waits for none
 * @idle_seq: how often @users became 0
 * @pending: references dropped in memory
 * @flushing: the entries without them are being written
 * @ripe: they are stable, but somebody may still transfer to or from the cluster
 * @ripe_seq: @idle_seq when the last of them became ripe
 * @free_hint: no cluster below is free
 * @file_size: of the file, never more than it is
 * @zero_from: what is at or behind it in the file reads as zeroes and has never been allocated
 * @compress_next: where the next compressed cluster may begin; 0: in a new cluster
 */
struct qcow2 {
	struct block blk;
	struct host_file *file;
	unsigned int cluster_bits, l2_bits, refcount_order, refblock_bits;
	u32 cluster_size, page_size;
	u32 version, header_length;
	u8 compression;
	bool check_only;
	pthread_mutex_t flush_lock;
	pthread_mutex_t lock;
	pthread_cond_t wake;
	u64 incompat, compat, autoclear;
	bool writable_checked, corrupt, lazy_dirty;
	u64 image_size;
	struct table l1, reftable;
	u64 snapshots_offset, snapshots_bytes;
	struct qcow2_snapshot *snapshots;
	unsigned int nr_snapshots;
	u8 *head;

	struct page **buckets;
	unsigned int nr_buckets, nr_pages, max_pages, nr_dirty_l2, nr_dirty_refs;
	struct page lru;	/* lru.newer: the oldest; lru.older: the newest */

	struct meta_slot *meta;
	size_t meta_room, meta_used;

	struct free_list pending, flushing, ripe;
	u64 ripe_seq;
	unsigned int users;
	bool exclusive;
	u64 idle_seq;
	struct allocation *allocations;

	u64 free_hint, file_size, zero_from, compress_next;
};

static inline struct qcow2 *to_qcow2(struct block *blk)
{
	return (struct qcow2 *)blk;
}

static inline u64 clusters_for(const struct qcow2 *q, u64 bytes)
{
	return (bytes >> q->cluster_bits) + !!(bytes & (q->cluster_size - 1));
}

/* How many L1 entries a disk of that many bytes needs. */
static inline u64 qcow2_l1_size(const struct qcow2 *q, u64 bytes)
{
	u64 clusters = clusters_for(q, bytes);

	return (clusters >> q->l2_bits) + !!(clusters & ((1ULL << q->l2_bits) - 1));
}

static inline u64 table_bytes(const struct table *t)
{
	return (u64)t->size * sizeof(u64);
}

/* Big-endian fields at any address. */
static inline u32 get_be32(const u8 *p)
{
	return (u32)p[0] << 24 | (u32)p[1] << 16 | (u32)p[2] << 8 | p[3];
}

static inline u64 get_be64(const u8 *p)
{
	return (u64)get_be32(p) << 32 | get_be32(p + 4);
}

static inline void put_be32(u8 *p, u32 v)
{
	v = htobe32(v);
	__builtin_memcpy(p, &v, sizeof(v));
}

static inline void put_be64(u8 *p, u64 v)
{
	v = htobe64(v);
	__builtin_memcpy(p, &v, sizeof(v));
}

/**
 * qcow2_alloc_buffer() - zeroed, aligned for direct transfers; for free(); NULL without a
 * report
 */
void *qcow2_alloc_buffer(size_t len);

/* qcow2.c */
/** qcow2_new() - for an image in @file, which it owns from now on; NULL: out of memory */
struct qcow2 *qcow2_new(struct host_file *file);
void qcow2_delete(struct qcow2 *q);
/** qcow2_finish() - write all that is pending, clear the dirty bit */
int qcow2_finish(struct qcow2 *q);

/* qcow2_header.c */
/** qcow2_parse_header() - read and check it; 0, or -1 after a report; backing strings as open's */
int qcow2_parse_header(struct qcow2 *q, char **backing_path, char **backing_format);
/** qcow2_derive() - what follows from cluster_bits and refcount_order */
void qcow2_derive(struct qcow2 *q);
/** qcow2_write_header() - bring the header's first sector in line with @q, and make it stable */
int qcow2_write_header(struct qcow2 *q);
/**
 * qcow2_mark_corrupt() - report @what, refuse writes from now on, say so in the header; return
 * -EIO
 */
int qcow2_mark_corrupt(struct qcow2 *q, const char *what, u64 offset);
/**
 * qcow2_prepare_change() - before each operation that changes something; no lock held, not entered
 *
 * The first one repairs a dirty image and clears autoclear bits. 0, or why there can be no change.
 */
int qcow2_prepare_change(struct qcow2 *q);
/**
 * qcow2_load_tables() - read L1, refcount and snapshot table, collect where metadata is;
 * forget caches
 */
int qcow2_load_tables(struct qcow2 *q);
/** qcow2_set_dirty() - in memory and in the header; lock held */
int qcow2_set_dirty(struct qcow2 *q, bool dirty);

/* qcow2_cache.c: all with lock held */
int qcow2_page(struct qcow2 *q, u64 offset, enum meta_type type, struct page **page);
void qcow2_page_dirty(struct qcow2 *q, struct page *page);
/** qcow2_forget_pages() - drop what is cached of a cluster that is not metadata any more */
void qcow2_forget_pages(struct qcow2 *q, u64 offset);
void qcow2_forget_all_pages(struct qcow2 *q);
int qcow2_cache_init(struct qcow2 *q);

/* qcow2_flush.c: neither lock held */
/**
 * qcow2_sync() - write cached metadata in the right order
 * @q: the image
 * @all: also refcounts that a lazy image may keep back
 *
 * On return all writes that ended before the call are stable, and space that nobody uses is
 * free again.
 */
int qcow2_sync(struct qcow2 *q, bool all);
void qcow2_table_dirty(struct qcow2 *q, struct table *t, u32 index);

/* qcow2_meta.c: where metadata is; lock held */
int qcow2_meta_add(struct qcow2 *q, u64 offset, u64 len, enum meta_type type);
void qcow2_meta_remove(struct qcow2 *q, u64 cluster);
enum meta_type qcow2_meta_type(const struct qcow2 *q, u64 cluster);
/** qcow2_check_write() - may @len bytes at @offset be written as @type? Else mark corrupt, -EIO */
int qcow2_check_write(struct qcow2 *q, u64 offset, u64 len, enum meta_type type);

/* qcow2_refcount.c: lock held */
u64 qcow2_max_refcount(const struct qcow2 *q);
u64 qcow2_get_count(const u8 *block, u64 index, unsigned int order);
void qcow2_put_count(u8 *block, u64 index, unsigned int order, u64 value);
int qcow2_refcount(struct qcow2 *q, u64 cluster, u64 *count);
int qcow2_set_refcount(struct qcow2 *q, u64 cluster, u64 count);
/**
 * qcow2_alloc() - take free host clusters: refcount 1
 * @q: the image
 * @want: how many
 * @min: fewer do not help; they are contiguous
 * @first: the first of them
 *
 * Return: how many, or a negative errno; nothing is taken then.
 */
s64 qcow2_alloc(struct qcow2 *q, u64 want, u64 min, u64 *first);
/** qcow2_undo_alloc() - give back what nothing refers to */
void qcow2_undo_alloc(struct qcow2 *q, u64 first, u64 clusters);
/** qcow2_grow_file() - what is below @end is used from now on: make the file reach there */
int qcow2_grow_file(struct qcow2 *q, u64 end);

/* qcow2_free.c: lock held */
/** qcow2_reserve_free() - make room for @runs calls of qcow2_free() */
int qcow2_reserve_free(struct qcow2 *q, size_t runs);
void qcow2_free(struct qcow2 *q, u64 first, u64 clusters, bool punch);
/** qcow2_free_ripe() - decrement refcounts of what nobody can refer to any more */
void qcow2_free_ripe(struct qcow2 *q);
/** qcow2_free_merge() - append @from to @to; @from is empty afterwards */
int qcow2_free_merge(struct free_list *to, struct free_list *from);
void qcow2_free_drop(struct qcow2 *q);

/* qcow2_table.c: lock held */
enum entry_kind { ENTRY_ABSENT, ENTRY_DATA, ENTRY_PLAIN_ZERO, ENTRY_ALLOC_ZERO, ENTRY_PACKED };
/** qcow2_entry_kind() - what an L2 entry says; -EIO: it is not valid */
int qcow2_entry_kind(const struct qcow2 *q, u64 entry, enum entry_kind *kind);
/**
 * qcow2_packed_range() - where the compressed data of an entry is, in whole sectors but for
 * its start
 */
void qcow2_packed_range(const struct qcow2 *q, u64 entry, u64 *offset, u64 *len);
/**
 * qcow2_entries() - L2 entries of guest clusters
 * @q: the image
 * @cluster: the first guest cluster
 * @entries: big-endian, in the cache; NULL: no L2 table, all are 0
 * @nr: entries that follow each other there
 * @page: their page or NULL
 */
int qcow2_entries(struct qcow2 *q, u64 cluster, u64 **entries, u64 *nr, struct page **page);
/**
 * qcow2_entries_for_write() - the same, where they may be changed: the L2 table is allocated
 * or copied
 */
int qcow2_entries_for_write(struct qcow2 *q, u64 cluster, u64 **entries, u64 *nr,
			    struct page **page);
/** qcow2_free_entry() - drop the references of an L2 entry that has been replaced */
void qcow2_free_entry(struct qcow2 *q, u64 entry, bool punch);

/* qcow2_io.c */
/** qcow2_enter() - begin to rely on the mapping; qcow2_leave() ends it */
void qcow2_enter(struct qcow2 *q);
void qcow2_leave(struct qcow2 *q);
/**
 * qcow2_begin_exclusive() - wait until nobody does, keep others out; both locks free; returns
 * with none
 */
void qcow2_begin_exclusive(struct qcow2 *q);
void qcow2_end_exclusive(struct qcow2 *q);
/**
 * struct mapping - an extent of the disk; @host for ENTRY_DATA and ENTRY_ALLOC_ZERO, @entry
 * for ENTRY_PACKED
 */
struct mapping {
	enum entry_kind kind;
	bool copied;
	u64 len, host, entry;
};
/** qcow2_lookup() - what is at @offset, for up to @len bytes; lock held */
int qcow2_lookup(struct qcow2 *q, u64 offset, u64 len, struct mapping *map);
/** qcow2_read_range() - guest bytes as they are now; zeroes behind the end of the disk */
int qcow2_read_range(struct qcow2 *q, void *buf, u64 len, u64 offset);
int qcow2_readv(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset);

/* qcow2_write.c */
int qcow2_writev(struct block *blk, const struct iovec *iov, unsigned int nr, u64 offset);
/** qcow2_wait_allocations() - until no write is under way to these guest clusters; lock held */
void qcow2_wait_allocations(struct qcow2 *q, u64 first, u64 clusters);
void qcow2_begin_allocation(struct qcow2 *q, struct allocation *a, u64 first, u64 clusters);
void qcow2_end_allocation(struct qcow2 *q, struct allocation *a);

/* qcow2_zero.c */
int qcow2_write_zeroes(struct block *blk, u64 offset, u64 len, bool unmap);
int qcow2_discard(struct block *blk, u64 offset, u64 len);
/** qcow2_zero_range() - as write zeroes, also behind the end of the disk */
int qcow2_zero_range(struct qcow2 *q, u64 offset, u64 len, bool unmap);

/* qcow2_compress.c */
int qcow2_read_packed(struct qcow2 *q, u64 entry, u8 *cluster);
int qcow2_write_compressed(struct block *blk, const void *buf, size_t len, u64 offset);

/* qcow2_refs.c: lock held and nothing dirty */
/**
 * struct refs - references to host clusters, counted by following tables
 * @chunks: counts, in chunks that are there where one is not 0; @nr_chunks pointers
 * @nr: host clusters of the file: what is behind is a fault
 * @end: no cluster from here on is counted
 * @err: -ENOMEM if something could not be counted
 * @report: report faults
 * @result: faults are counted there; not NULL
 */
struct refs {
	u32 **chunks;
	u64 nr_chunks, nr, end;
	int err;
	bool report;
	struct block_check *result;
};
int qcow2_refs_init(struct qcow2 *q, struct refs *refs, struct block_check *result);
void qcow2_refs_drop(struct refs *refs);
u32 qcow2_refs_get(const struct refs *refs, u64 cluster);
int qcow2_refs_set(struct refs *refs, u64 cluster, u32 count);
/**
 * qcow2_refs_next() - the first cluster from @cluster on that may be counted; @end if there is
 * none
 */
u64 qcow2_refs_next(const struct refs *refs, u64 cluster);
/**
 * qcow2_ref() - count a reference; a fault if it lies outside the file. @what it is, for the
 * report
 */
void qcow2_ref(struct qcow2 *q, struct refs *refs, u64 offset, u64 len, const char *what);
/**
 * qcow2_ref_tree() - count L2 tables and data clusters of an L1 table
 * @q: the image
 * @refs: where
 * @l1: entries in host byte order
 * @size: how many
 * @active: the active one: its clusters are what statistics are about
 *
 * Return: 0 or -ENOMEM; faults are in @refs.
 */
int qcow2_ref_tree(struct qcow2 *q, struct refs *refs, const u64 *l1, u32 size, bool active);
/** qcow2_ref_snapshots() - count L1 tables of snapshots and what is below them */
int qcow2_ref_snapshots(struct qcow2 *q, struct refs *refs, const struct qcow2_snapshot *list,
			unsigned int nr);
/** qcow2_ref_all() - count everything that the header leads to */
int qcow2_ref_all(struct qcow2 *q, struct refs *refs);
/** qcow2_ref_bitmaps() - count what the bitmaps of other programs use, if they are valid */
int qcow2_ref_bitmaps(struct qcow2 *q, struct refs *refs);
/** qcow2_fault() - one more corruption, reported if wanted */
void qcow2_fault(struct qcow2 *q, struct refs *refs, const char *what, u64 value);
/** qcow2_read_l1() - an L1 table in host byte order, for free(); NULL and *@err on failure */
u64 *qcow2_read_l1(struct qcow2 *q, u64 offset, u32 size, int *err);

/* qcow2_rebuild.c */
/**
 * struct new_state - what shall replace the present state
 * @l1: the active L1 table, @l1_size entries; their COPIED bits do not matter
 * @snapshots: the snapshots, @nr_snapshots of them
 * @size: of the disk
 * @repaired: clear the corrupt bit
 */
struct new_state {
	const u64 *l1;
	u32 l1_size;
	const struct qcow2_snapshot *snapshots;
	unsigned int nr_snapshots;
	u64 size;
	bool repaired;
};
/**
 * qcow2_switch() - replace the metadata by one write of the header
 *
 * Writes L1 table, COPIED bits, snapshot table and refcounts that fit @state to places that
 * are free,
 * then the header. Exclusive use, flush_lock and lock held, nothing dirty. 0 or a negative errno:
 * then the image is as it was.
 */
int qcow2_switch(struct qcow2 *q, const struct new_state *state);
/** qcow2_begin_switch() - exclusive use, all written, both locks taken; on failure none of it */
int qcow2_begin_switch(struct qcow2 *q);
void qcow2_end_switch(struct qcow2 *q);

/* qcow2_check.c, qcow2_snapshot.c, qcow2_create.c, qcow2_resize.c, qcow2_info.c */
int qcow2_check(struct block *blk, unsigned int repair, struct block_check *result);
int qcow2_load_snapshots(struct qcow2 *q);
void qcow2_drop_snapshots(struct qcow2_snapshot *list, unsigned int nr);
/**
 * qcow2_pack_snapshots() - the table as it is stored; NULL: out of memory or over
 * MAX_SNAPSHOT_BYTES
 */
u8 *qcow2_pack_snapshots(const struct qcow2_snapshot *list, unsigned int nr, u64 *len);
int qcow2_create(struct host_file *file, const struct block_create *create);
int qcow2_resize(struct block *blk, u64 size);
int qcow2_info(struct block *blk, struct json_t *object);

#endif
