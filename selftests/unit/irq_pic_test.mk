irq_pic_test_SRCS = ../module/irqchip/pic_chip.c
irq_pic_test_CFLAGS = -Iunit/shim -I../module/irqchip
