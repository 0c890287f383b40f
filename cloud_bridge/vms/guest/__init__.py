"""The small guest: Debian's cloud kernel and an initramfs of busybox with one web page."""
