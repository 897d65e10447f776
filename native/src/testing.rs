//! What tests of several modules have in common. It imports nothing of the core but its errors and its control.

use crate::control::Control;
use crate::error::Result;

/// Pseudo-random numbers, the same in every run (the high bits of a linear congruential generator).
pub struct Noise(pub u64);

impl Noise {
    /// Evenly distributed between -1 and 1.
    pub fn next(&mut self) -> f32 {
        self.0 = self
            .0
            .wrapping_mul(6364136223846793005)
            .wrapping_add(1442695040888963407);
        (self.0 >> 40) as f32 / (1 << 23) as f32 - 1.0
    }

    pub fn take(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.next()).collect()
    }
}

/// Layer inputs [tokens, cols] with correlated columns of different sizes, the columns in `dead` zero.
pub fn inputs(tokens: usize, cols: usize, dead: &[usize]) -> Vec<f32> {
    let mut noise = Noise(7);
    let mut x = vec![0f32; tokens * cols];
    for row in x.chunks_mut(cols) {
        let shared = noise.next();
        for (j, value) in row.iter_mut().enumerate() {
            *value = (noise.next() + 0.7 * shared) * (1.0 + (j % 5) as f32 * 0.4);
        }
        dead.iter().for_each(|&j| row[j] = 0.0);
    }
    x
}

/// `compute` in a pool of `threads` threads.
pub fn with_threads<R: Send>(threads: usize, compute: impl FnOnce() -> R + Send) -> R {
    rayon::ThreadPoolBuilder::new()
        .num_threads(threads)
        .build()
        .unwrap()
        .install(compute)
}

/// xᵀ x in float64, entry by entry.
pub fn naive_gram(cols: usize, x: &[f32]) -> Vec<f64> {
    let mut sums = vec![0f64; cols * cols];
    for row in x.chunks(cols) {
        for i in 0..cols {
            for j in 0..=i {
                sums[i * cols + j] += row[i] as f64 * row[j] as f64;
            }
        }
    }
    sums
}

/// Lower Cholesky factor of `a` [n, n] row-major, in float64.
pub fn naive_cholesky(n: usize, a: &[f64]) -> Vec<f64> {
    let mut l = vec![0f64; n * n];
    for i in 0..n {
        for j in 0..=i {
            let dot: f64 = (0..j).map(|k| l[i * n + k] * l[j * n + k]).sum();
            let rest = a[i * n + j] - dot;
            l[i * n + j] = if i == j { rest.sqrt() } else { rest / l[j * n + j] };
        }
    }
    l
}

/// The inverse of a symmetric positive definite matrix by its Cholesky factor, in float64.
pub fn naive_inverse(n: usize, a: &[f64]) -> Vec<f64> {
    let l = naive_cholesky(n, a);
    let mut inverse = vec![0f64; n * n];
    for column in 0..n {
        let mut x = vec![0f64; n];
        for i in 0..n {
            let dot: f64 = (0..i).map(|k| l[i * n + k] * x[k]).sum();
            x[i] = ((i == column) as u8 as f64 - dot) / l[i * n + i];
        }
        for i in (0..n).rev() {
            let dot: f64 = (i + 1..n).map(|k| l[k * n + i] * x[k]).sum();
            x[i] = (x[i] - dot) / l[i * n + i];
        }
        (0..n).for_each(|i| inverse[i * n + column] = x[i]);
    }
    inverse
}

/// The damped Hessian as method.md says, in float64.
pub fn naive_hessian(cols: usize, x: &[f32], scale: f64, percdamp: f64) -> Vec<f64> {
    let mut h: Vec<f64> = naive_gram(cols, x).iter().map(|sum| sum * scale).collect();
    for i in 0..cols {
        (0..i).for_each(|j| h[j * cols + i] = h[i * cols + j]);
        h[i * cols + i] = if h[i * cols + i] == 0.0 { 1.0 } else { h[i * cols + i] };
    }
    let mean = (0..cols).map(|i| h[i * cols + i]).sum::<f64>() / cols as f64;
    (0..cols).for_each(|i| h[i * cols + i] += percdamp * mean);
    h
}

/// ‖a - b‖ / ‖b‖ in float64.
pub fn distance(a: &[f32], b: &[f32]) -> f64 {
    let squares: f64 = a.iter().zip(b).map(|(&a, &b)| (a as f64 - b as f64).powi(2)).sum();
    (squares / b.iter().map(|&b| (b as f64).powi(2)).sum::<f64>()).sqrt()
}

/// Where values are zero.
pub fn zeros(values: &[f32]) -> Vec<bool> {
    values.iter().map(|&value| value == 0.0).collect()
}

/// Whether `a` is `b` up to a share `bound` of it.
pub fn close(a: f64, b: f64, bound: f64) -> bool {
    (a - b).abs() <= bound * b.abs()
}

/// Runs `task` and cancels it after `wait` milliseconds: it must still be running then and be gone within 100 ms. On a busy machine
/// either may need other attempts; what does not stop so soon fails in all of them.
pub fn assert_stops_within_100_ms<R>(wait: u64, task: impl Fn(&Control) -> Result<R>) {
    let attempt = || {
        let control = Control::default();
        let cancelled_at = std::sync::Mutex::new(None);
        let result = std::thread::scope(|scope| {
            scope.spawn(|| {
                std::thread::sleep(std::time::Duration::from_millis(wait));
                *cancelled_at.lock().unwrap() = Some(std::time::Instant::now());
                control.cancel();
            });
            task(&control).map(|_| ())
        });
        let took = cancelled_at.lock().unwrap().unwrap().elapsed();
        (result, took.as_millis())
    };
    let attempts: Vec<_> = (0..20)
        .map(|_| attempt())
        .take_while(|(result, took)| result.is_ok() || *took >= 100)
        .collect();
    assert!(attempts.len() < 20, "{attempts:?}");
}
