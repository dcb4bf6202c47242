//! Taking cache lines ahead of the stores to them.

/// Asks the processor for the cache line at `at`, to write it soon. This is a hint, which never faults and changes
/// nothing that a program can see.
#[inline(always)]
pub(super) fn claim<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: the instruction accepts any address and changes neither memory nor registers; processors without it
    // do nothing.
    unsafe {
        std::arch::asm!("prefetchw [{}]", in(reg) at, options(nostack, preserves_flags, readonly));
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
