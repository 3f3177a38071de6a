irq_lapic_test_CFLAGS = -Iunit/shim -I../module/irqchip
