// SPDX-License-Identifier: GPL-2.0
/*
 * The 8259A pair as a state machine: lines in, command and data bytes in and
 * out, INTA cycles, and the level of INT. No locks, no VM, nothing of the
 * kernel's, so that it is tested hosted.
 *
 * Source: Intel 8259A Programmable Interrupt Controller data sheet (December
 * 1988), "Interrupt Sequence", "Initialization Command Words", "Operation
 * Control Words", "Poll Command", "The Special Fully Nested Mode", "Special
 * Mask Mode"; for the ELCR, Intel 82371SB (PIIX3) data sheet (April 1997),
 * "Edge/Level Control Registers".
 */
#include "pic_chip.h"

/* Lines that can be level triggered: not the timer, keyboard, cascade, RTC, FPU. */
static const u8 pic_elcr_mask[2] = { 0xf8, 0xde };

/* Command byte at the even port. */
#define ICW1			0x10
#define ICW1_ICW4		0x01
#define OCW3			0x08
#define OCW3_READ		0x02
#define OCW3_READ_ISR		0x01
#define OCW3_POLL		0x04
#define OCW3_SET_SMM		0x40
#define OCW3_SMM		0x20

/* OCW2, bits 7:5. */
#define OCW2_ROTATE_AEOI_OFF	0
#define OCW2_EOI		1
#define OCW2_SPECIFIC_EOI	3
#define OCW2_ROTATE_AEOI_ON	4
#define OCW2_ROTATE_EOI		5
#define OCW2_SET_PRIORITY	6
#define OCW2_ROTATE_SPECIFIC	7

#define ICW4_AUTO_EOI		0x02
#define ICW4_SFNM		0x10

/* minikvm_pic_state.init_state: what the odd port expects next. */
#define EXPECT_OCW1		0
#define EXPECT_ICW2		1
#define EXPECT_ICW3		2
#define EXPECT_ICW4		3

#define POLL_PENDING		0x80
#define SPURIOUS_LINE		7

void pic_pair_init(struct pic_pair *pair)
{
	int i;

	for (i = 0; i < 2; i++)
		pair->chip[i].elcr_mask = pic_elcr_mask[i];
}

/* Rank of the most urgent line in @lines, 0 first; 8 if there is none. */
static int pic_rank(const struct minikvm_pic_state *s, u8 lines)
{
	int rank;

	for (rank = 0; rank < 8; rank++)
		if (lines & (1 << ((s->priority_add + rank) & 7)))
			break;
	return rank;
}

static int pic_line_of_rank(const struct minikvm_pic_state *s, int rank)
{
	return (s->priority_add + rank) & 7;
}

/* The line that asks for an INTA, or -1. */
static int pic_requested(const struct pic_pair *pair, int chip)
{
	const struct minikvm_pic_state *s = &pair->chip[chip];
	int rank = pic_rank(s, s->irr & ~s->imr);
	u8 busy = s->isr;

	if (rank == 8)
		return -1;
	/* Masked lines in service hold nobody up in special mask mode. */
	if (s->special_mask)
		busy &= ~s->imr;
	/* The slave may interrupt itself; its own priorities decide. */
	if (s->special_fully_nested_mode && chip == PIC_MASTER)
		busy &= ~(1 << PIC_CASCADE);
	return rank < pic_rank(s, busy) ? pic_line_of_rank(s, rank) : -1;
}

void pic_pair_update(struct pic_pair *pair)
{
	struct minikvm_pic_state *master = &pair->chip[PIC_MASTER];

	/* The cascade follows the slave's INT, whatever its trigger mode. */
	if (pic_requested(pair, PIC_SLAVE) >= 0)
		master->irr |= 1 << PIC_CASCADE;
	else
		master->irr &= ~(1 << PIC_CASCADE);
	pair->output = pic_requested(pair, PIC_MASTER) >= 0;
}

int pic_pair_set_line(struct pic_pair *pair, int line, bool high)
{
	struct minikvm_pic_state *s = &pair->chip[line >> 3];
	u8 bit = 1 << (line & 7);
	bool level = s->elcr & bit;
	int noted = 1;

	if (high) {
		/* An edge counts once, a level as long as it is there. */
		if (level || !(s->last_irr & bit)) {
			noted = !(s->irr & bit);
			s->irr |= bit;
		}
		s->last_irr |= bit;
	} else {
		if (level)
			s->irr &= ~bit;
		s->last_irr &= ~bit;
	}
	pic_pair_update(pair);
	return s->imr & bit ? -1 : noted;
}

static void pic_end_service(struct pic_pair *pair, int chip, int line)
{
	pair->chip[chip].isr &= ~(1 << line);
	pair->acked[chip] |= 1 << line;
}

static void pic_begin_service(struct pic_pair *pair, int chip, int line)
{
	struct minikvm_pic_state *s = &pair->chip[chip];

	s->isr |= 1 << line;
	if (!(s->elcr & (1 << line)))
		s->irr &= ~(1 << line);
	if (s->auto_eoi) {
		if (s->rotate_on_auto_eoi)
			s->priority_add = (line + 1) & 7;
		pic_end_service(pair, chip, line);
	}
}

u8 pic_pair_inta(struct pic_pair *pair)
{
	int line = pic_requested(pair, PIC_MASTER);
	int chip = PIC_MASTER;

	if (line >= 0) {
		pic_begin_service(pair, PIC_MASTER, line);
		if (line == PIC_CASCADE) {
			chip = PIC_SLAVE;
			line = pic_requested(pair, PIC_SLAVE);
			if (line >= 0)
				pic_begin_service(pair, PIC_SLAVE, line);
		}
	}
	/* The request went away before the INTA: no line is in service. */
	if (line < 0)
		line = SPURIOUS_LINE;
	pic_pair_update(pair);
	return pair->chip[chip].irq_base + line;
}

/* ICW1 starts initialisation over. */
static void pic_write_icw1(struct pic_pair *pair, int chip, u8 val)
{
	struct minikvm_pic_state *s = &pair->chip[chip];

	/* Whoever waits for the end of a service would wait for ever. */
	pair->acked[chip] |= s->isr | (s->irr & ~s->elcr);
	s->init4 = val & ICW1_ICW4;
	s->irr &= s->elcr;
	s->last_irr &= s->elcr;
	s->isr = 0;
	s->imr = 0;
	s->priority_add = 0;
	s->special_mask = 0;
	s->read_reg_select = 0;
	s->poll = 0;
	if (!s->init4) {
		s->special_fully_nested_mode = 0;
		s->auto_eoi = 0;
	}
	s->init_state = EXPECT_ICW2;
}

static void pic_write_ocw3(struct minikvm_pic_state *s, u8 val)
{
	if (val & OCW3_POLL)
		s->poll = 1;
	if (val & OCW3_READ)
		s->read_reg_select = val & OCW3_READ_ISR;
	if (val & OCW3_SET_SMM)
		s->special_mask = !!(val & OCW3_SMM);
}

static void pic_write_ocw2(struct pic_pair *pair, int chip, u8 val)
{
	struct minikvm_pic_state *s = &pair->chip[chip];
	int command = val >> 5;
	int line = val & 7;
	int rank;

	switch (command) {
	case OCW2_ROTATE_AEOI_OFF:
	case OCW2_ROTATE_AEOI_ON:
		s->rotate_on_auto_eoi = command == OCW2_ROTATE_AEOI_ON;
		break;
	case OCW2_EOI:
	case OCW2_ROTATE_EOI:
		/* The most urgent in service; in special mask mode of the unmasked. */
		rank = pic_rank(s, s->special_mask ? s->isr & ~s->imr : s->isr);
		if (rank == 8)
			break;
		line = pic_line_of_rank(s, rank);
		if (command == OCW2_ROTATE_EOI)
			s->priority_add = (line + 1) & 7;
		pic_end_service(pair, chip, line);
		break;
	case OCW2_ROTATE_SPECIFIC:
		s->priority_add = (line + 1) & 7;
		pic_end_service(pair, chip, line);
		break;
	case OCW2_SPECIFIC_EOI:
		pic_end_service(pair, chip, line);
		break;
	case OCW2_SET_PRIORITY:
		s->priority_add = (line + 1) & 7;
		break;
	}
}

static void pic_write_data(struct minikvm_pic_state *s, u8 val)
{
	switch (s->init_state) {
	case EXPECT_ICW2:
		s->irq_base = val & 0xf8;
		s->init_state = EXPECT_ICW3;
		break;
	case EXPECT_ICW3:
		/* How the two are wired does not change. */
		s->init_state = s->init4 ? EXPECT_ICW4 : EXPECT_OCW1;
		break;
	case EXPECT_ICW4:
		s->special_fully_nested_mode = !!(val & ICW4_SFNM);
		s->auto_eoi = !!(val & ICW4_AUTO_EOI);
		s->init_state = EXPECT_OCW1;
		break;
	default:
		s->imr = val;
	}
}

void pic_pair_write(struct pic_pair *pair, int chip, int port, u8 val)
{
	if (port)
		pic_write_data(&pair->chip[chip], val);
	else if (val & ICW1)
		pic_write_icw1(pair, chip, val);
	else if (val & OCW3)
		pic_write_ocw3(&pair->chip[chip], val);
	else
		pic_write_ocw2(pair, chip, val);
	pic_pair_update(pair);
}

u8 pic_pair_read(struct pic_pair *pair, int chip, int port)
{
	struct minikvm_pic_state *s = &pair->chip[chip];
	int line;

	if (s->poll) {
		/* The read takes the place of the INTA. */
		s->poll = 0;
		line = pic_requested(pair, chip);
		if (line < 0)
			return 0;
		pic_begin_service(pair, chip, line);
		pic_pair_update(pair);
		return POLL_PENDING | line;
	}
	if (port)
		return s->imr;
	return s->read_reg_select ? s->isr : s->irr;
}

void pic_pair_write_elcr(struct pic_pair *pair, int chip, u8 val)
{
	struct minikvm_pic_state *s = &pair->chip[chip];
	u8 now_level;

	val &= s->elcr_mask;
	now_level = val & ~s->elcr;
	s->elcr = val;
	/* A line that becomes level triggered requests while it is high. */
	s->irr = (s->irr & ~now_level) | (s->last_irr & now_level);
	pic_pair_update(pair);
}
