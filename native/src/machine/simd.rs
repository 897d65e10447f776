//! Loops compiled once for each instruction set and chosen when they are called. `f32::mul_add` rounds once everywhere, so a loop
//! written with it gives the same bits in all of them.

/// The instruction sets that loops are compiled for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    Avx512,
    Avx2,
    Portable,
}

/// What this processor can do. The detection is cached by the standard library.
pub fn level() -> Level {
    #[cfg(target_arch = "x86_64")]
    {
        if is_x86_feature_detected!("avx512f") {
            return Level::Avx512;
        }
        if is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma") {
            return Level::Avx2;
        }
    }
    Level::Portable
}

/// Whether this processor multiplies bfloat16 values and sums in float32.
pub fn has_bf16() -> bool {
    #[cfg(target_arch = "x86_64")]
    return is_x86_feature_detected!("avx512f") && is_x86_feature_detected!("avx512bf16");
    #[cfg(not(target_arch = "x86_64"))]
    false
}

/// The kernels in words, for a run's fingerprint: the results' last bits depend on them.
pub fn kernels() -> &'static str {
    match level() {
        Level::Avx512 if has_bf16() => "avx512f+bf16",
        Level::Avx512 => "avx512f",
        Level::Avx2 => "avx2+fma",
        Level::Portable if cfg!(target_arch = "aarch64") => "neon",
        Level::Portable => "portable",
    }
}

/// Declares a function whose body is compiled for every `Level`.
macro_rules! vectorized {
    ($(#[$meta:meta])* $vis:vis fn $name:ident $(<const $n:ident: usize>)? ($($arg:ident: $type:ty),* $(,)?) $(-> $result:ty)? $body:block) => {
        $(#[$meta])*
        $vis fn $name $(<const $n: usize>)? ($($arg: $type),*) $(-> $result)? {
            #[inline(always)]
            fn portable $(<const $n: usize>)? ($($arg: $type),*) $(-> $result)? $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx512f")]
                fn avx512 $(<const $n: usize>)? ($($arg: $type),*) $(-> $result)? { portable $(::<$n>)? ($($arg),*) }
                #[target_feature(enable = "avx2,fma")]
                fn avx2 $(<const $n: usize>)? ($($arg: $type),*) $(-> $result)? { portable $(::<$n>)? ($($arg),*) }
                match $crate::machine::simd::level() {
                    // SAFETY: the processor has been asked.
                    $crate::machine::simd::Level::Avx512 => return unsafe { avx512 $(::<$n>)? ($($arg),*) },
                    $crate::machine::simd::Level::Avx2 => return unsafe { avx2 $(::<$n>)? ($($arg),*) },
                    $crate::machine::simd::Level::Portable => {}
                }
            }
            portable $(::<$n>)? ($($arg),*)
        }
    };
}
pub(crate) use vectorized;
