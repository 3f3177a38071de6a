irq_pit_test_CFLAGS = -Iunit/shim -I../module/irqchip
