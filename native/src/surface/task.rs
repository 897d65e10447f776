//! How a long computation is started, watched and stopped, and what it throws.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Mutex};

use napi::bindgen_prelude::*;
use napi_derive::napi;

use crate::control;
use crate::error::{self, Error as CoreError, internal};
use crate::machine::pool;

pub fn thrown(error: CoreError) -> Error {
    Error::from_reason(error.to_string())
}

/// A computation in the addon's own pool, whose result becomes a JavaScript value of the same type.
pub struct Job<T>(Option<Box<dyn FnOnce() -> error::Result<T> + Send>>);

impl<T: Send + ToNapiValue + TypeName + 'static> Task for Job<T> {
    type Output = T;
    type JsValue = T;

    fn compute(&mut self) -> Result<T> {
        let compute = self.0.take().expect("a task is computed once");
        // A panic may not leave through Node's frames.
        let outcome = catch_unwind(AssertUnwindSafe(|| pool::install(compute)));
        outcome
            .unwrap_or_else(|panic| Err(internal(panic_text(&*panic))))
            .map_err(thrown)
    }

    fn resolve(&mut self, _env: Env, output: T) -> Result<T> {
        Ok(output)
    }
}

pub fn job<T: Send + ToNapiValue + TypeName + 'static>(
    compute: impl FnOnce() -> error::Result<T> + Send + 'static,
) -> AsyncTask<Job<T>> {
    AsyncTask::new(Job(Some(Box::new(compute))))
}

fn panic_text(panic: &(dyn std::any::Any + Send)) -> &str {
    let text = panic.downcast_ref::<String>().map(String::as_str);
    text.or(panic.downcast_ref::<&str>().copied())
        .unwrap_or("a panic without a message")
}

/// Acts on a writer that is written to by one task at a time, unless it has been finished or abandoned.
pub fn on_open<W, R>(writer: &Mutex<Option<W>>, act: impl FnOnce(&mut W) -> error::Result<R>) -> error::Result<R> {
    let mut writer = writer.lock().expect("no holder panics");
    act(writer.as_mut().ok_or_else(closed)?)
}

pub fn closed() -> CoreError {
    internal("the file is closed")
}

/// Watches and stops tasks. A cancelled task rejects with code "cancelled".
#[napi]
#[derive(Default)]
pub struct Control {
    pub(super) inner: Arc<control::Control>,
}

#[napi]
impl Control {
    #[napi(constructor)]
    pub fn new() -> Self {
        Self::default()
    }

    #[napi]
    pub fn cancel(&self) {
        self.inner.cancel();
    }

    /// The share of the current task that is done, 0 to 1.
    #[napi(getter)]
    pub fn progress(&self) -> f64 {
        self.inner.progress()
    }
}
