//! An open adapter: its buffers, and the running of kernels.

use std::collections::HashMap;
use std::num::NonZeroU64;
use std::sync::{Arc, Mutex};

use bytemuck::Pod;
use wgpu::{
    BindGroupDescriptor, BindGroupEntry, BindingResource, BufferBinding, BufferDescriptor, BufferUsages,
    ComputePassDescriptor, ComputePipeline, ComputePipelineDescriptor, DeviceDescriptor, Limits, MapMode,
    PipelineCompilationOptions, PollType, ShaderModuleDescriptor, ShaderRuntimeChecks, ShaderSource, SubmissionIndex,
};

use super::info::AdapterInfo;
use super::kernels::{Kernel, Tile};
use crate::error::{Error, Result};

/// Bytes that are sent or fetched at once: so much memory it takes beside the buffer.
pub const PIECE: usize = 64 << 20;
/// Pieces that are in memory together at most: two on their way (`Gpu::submitted`), and the next one.
pub const PIECES: usize = 3;
/// Where parameters may begin: what every adapter allows.
const PARAMS_ALIGNMENT: usize = 256;

/// A buffer on the GPU; freed when it is dropped and no kernel uses it any more.
#[derive(PartialEq, Eq)]
pub struct Buffer(wgpu::Buffer);

/// An open adapter, with the tile that products are computed in. Clones are the same adapter.
#[derive(Clone)]
pub struct Gpu(Arc<Inner>, Tile);

struct Inner {
    adapter: AdapterInfo,
    device: wgpu::Device,
    queue: wgpu::Queue,
    /// Bytes of the largest buffer that a kernel can work on, and of the largest piece of a matrix: the same but in tests.
    largest_buffer: u64,
    largest_piece: u64,
    /// By kernel, and by tile where the kernel depends on it.
    pipelines: Mutex<HashMap<(Kernel, Option<Tile>), ComputePipeline>>,
    /// What went wrong first.
    failure: Arc<Mutex<Option<Error>>>,
    /// The submission before the next one.
    last: Mutex<Option<SubmissionIndex>>,
}

impl Gpu {
    /// Error: `GpuNotUsable`.
    pub(crate) fn open(info: AdapterInfo, adapter: &wgpu::Adapter, tile: Tile) -> Result<Self> {
        let limits = adapter.limits();
        let request = adapter.request_device(&DeviceDescriptor {
            required_limits: limits.clone(),
            ..DeviceDescriptor::default()
        });
        let not_usable = |error: wgpu::RequestDeviceError| Error::GpuNotUsable {
            adapter: info.name.clone(),
            reason: error.to_string(),
        };
        let (device, queue) = pollster::block_on(request).map_err(not_usable)?;
        let failure = Arc::new(Mutex::new(None));
        let (noted, adapter) = (Arc::clone(&failure), info.name.clone());
        device.on_uncaptured_error(Arc::new(move |error| note(&noted, failure_of(&adapter, error))));
        let (noted, adapter) = (Arc::clone(&failure), info.name.clone());
        device.set_device_lost_callback(move |_, reason| {
            let adapter = adapter.clone();
            note(&noted, Error::GpuLost { adapter, reason });
        });
        let inner = Inner {
            adapter: info,
            device,
            queue,
            largest_buffer: largest_buffer(&limits),
            largest_piece: largest_buffer(&limits),
            pipelines: Mutex::default(),
            failure,
            last: Mutex::default(),
        };
        Ok(Self(Arc::new(inner), tile))
    }

    pub fn name(&self) -> &str {
        &self.0.adapter.name
    }

    pub fn adapter(&self) -> &AdapterInfo {
        &self.0.adapter
    }

    pub fn tile(&self) -> Tile {
        self.1
    }

    /// The same adapter with another tile.
    pub(crate) fn with_tile(&self, tile: Tile) -> Self {
        Self(Arc::clone(&self.0), tile)
    }

    pub(crate) fn largest_piece(&self) -> u64 {
        self.0.largest_piece
    }

    /// As if no piece of a matrix could have more bytes, to a span of lines.
    #[cfg(test)]
    pub(crate) fn with_pieces(mut self, bytes: u64) -> Self {
        let inner = Arc::get_mut(&mut self.0).expect("opened just now");
        inner.largest_piece = bytes;
        self
    }

    /// What went wrong since the device was opened. Errors: `GpuLost`, `GpuOutOfMemory`, `GpuFailed`.
    fn check(&self) -> Result<()> {
        let failure = || self.0.failure.lock().expect("no holder panics").clone();
        if let Some(Error::GpuFailed { .. }) = failure() {
            // Maybe because the device was lost: that is told while it is polled.
            let _ = self.0.device.poll(PollType::Poll);
        }
        failure().map_or(Ok(()), Err)
    }

    /// Gives the device up, as a driver's reset would, when what it is at is done: its memory is free again, and everything after it
    /// fails with `GpuLost`.
    pub fn close(&self) {
        self.0.device.destroy();
        // It is lost, and freed, while it is polled.
        let _ = self.0.device.poll(PollType::wait_indefinitely());
    }

    /// As if the driver had refused an allocation.
    #[cfg(test)]
    pub(crate) fn exhaust(&self) {
        let source = "injected".into();
        note(
            &self.0.failure,
            failure_of(self.name(), wgpu::Error::OutOfMemory { source }),
        );
    }

    /// Room for `len` values of 4 bytes, zeros. Errors: `GpuTooLarge`, `GpuOutOfMemory`, `GpuLost`.
    pub(crate) fn buffer(&self, len: usize) -> Result<Buffer> {
        let size = 4 * len.max(1) as u64;
        if size > self.0.largest_buffer {
            return Err(self.too_large(size));
        }
        let buffer = self.0.device.create_buffer(&BufferDescriptor {
            label: None,
            size,
            usage: BufferUsages::STORAGE | BufferUsages::COPY_SRC | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        self.check()?;
        Ok(Buffer(buffer))
    }

    /// A buffer with these values of 4 bytes.
    pub(crate) fn buffer_of<T: Pod>(&self, values: &[T]) -> Result<Buffer> {
        let buffer = self.buffer(size_of_val(values) / 4)?;
        self.write(&buffer, values)?;
        Ok(buffer)
    }

    /// Overwrites the beginning of a buffer.
    pub(crate) fn write<T: Pod>(&self, buffer: &Buffer, values: &[T]) -> Result<()> {
        for (i, piece) in bytemuck::cast_slice(values).chunks(PIECE).enumerate() {
            self.0.queue.write_buffer(&buffer.0, (i * PIECE) as u64, piece);
            if piece.len() == PIECE {
                self.submitted(self.0.queue.submit([]))?;
            }
        }
        self.check()
    }

    /// Fetches the beginning of a buffer, when all work before is done.
    pub(crate) fn read<T: Pod>(&self, buffer: &Buffer, values: &mut [T]) -> Result<()> {
        let bytes: &mut [u8] = bytemuck::cast_slice_mut(values);
        if bytes.is_empty() {
            return Ok(());
        }
        let device = &self.0.device;
        let staging = device.create_buffer(&BufferDescriptor {
            label: None,
            size: bytes.len().min(PIECE) as u64,
            usage: BufferUsages::MAP_READ | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        for (i, piece) in bytes.chunks_mut(PIECE).enumerate() {
            let size = piece.len() as u64;
            let mut encoder = device.create_command_encoder(&Default::default());
            encoder.copy_buffer_to_buffer(&buffer.0, (i * PIECE) as u64, &staging, 0, size);
            let submission = self.0.queue.submit([encoder.finish()]);
            self.check()?;
            // Whether it went well is seen when the range is asked for.
            staging.map_async(MapMode::Read, ..size, |_| {});
            self.wait(submission)?;
            let mapped = staging.get_mapped_range(..size).map_err(|error| self.failed(error))?;
            piece.copy_from_slice(&mapped);
            drop(mapped);
            staging.unmap();
        }
        Ok(())
    }

    /// Waits for the submission before the one just made, so that at most two are on their way: memory stays bounded, and a task
    /// that is cancelled has not far to go.
    fn submitted(&self, submission: SubmissionIndex) -> Result<()> {
        let before = self.0.last.lock().expect("no holder panics").replace(submission);
        before.map_or(Ok(()), |before| self.wait(before))
    }

    fn wait(&self, submission: SubmissionIndex) -> Result<()> {
        let wait = PollType::Wait {
            submission_index: Some(submission),
            timeout: None,
        };
        let waited = self.0.device.poll(wait);
        self.check()?;
        waited.map(|_| ()).map_err(|error| self.failed(error))
    }

    /// The refusal of a matrix of so many bytes, which must lie in one buffer.
    pub(crate) fn too_large(&self, size: u64) -> Error {
        Error::GpuTooLarge {
            adapter: self.name().to_owned(),
            size,
            limit: self.0.largest_buffer,
        }
    }

    fn failed(&self, error: impl std::fmt::Display) -> Error {
        Error::GpuFailed {
            adapter: self.name().to_owned(),
            reason: error.to_string(),
        }
    }

    fn pipeline(&self, kernel: Kernel) -> ComputePipeline {
        let mut pipelines = self.0.pipelines.lock().expect("no holder panics");
        let make = || {
            let source = ShaderModuleDescriptor {
                label: Some(kernel.entry()),
                source: ShaderSource::Wgsl(kernel.source(self.1).into()),
            };
            let checks = ShaderRuntimeChecks {
                force_loop_bounding: false,
                int_div_checks: false,
                ..ShaderRuntimeChecks::checked()
            };
            // SAFETY: every loop of the kernels counts to its bound, and no divisor is zero. Accesses to buffers are checked.
            let module = unsafe { self.0.device.create_shader_module_trusted(source, checks) };
            self.0.device.create_compute_pipeline(&ComputePipelineDescriptor {
                label: Some(kernel.entry()),
                layout: None,
                module: &module,
                entry_point: Some(kernel.entry()),
                compilation_options: PipelineCompilationOptions::default(),
                cache: None,
            })
        };
        let key = (kernel, kernel.is_tiled().then_some(self.1));
        pipelines.entry(key).or_insert_with(make).clone()
    }

    pub(crate) fn tasks(&self) -> Tasks<'_> {
        Tasks {
            gpu: self,
            tasks: Vec::new(),
            params: Vec::new(),
        }
    }
}

/// Bytes of the largest buffer that a kernel can work on; kernels count its values in 32 bits.
fn largest_buffer(limits: &Limits) -> u64 {
    let bindable = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
    bindable.min(4 * u32::MAX as u64)
}

/// Keeps what went wrong first; that the device was lost explains all other failures.
fn note(failure: &Mutex<Option<Error>>, error: Error) {
    let mut failure = failure.lock().expect("no holder panics");
    if failure.is_none() || matches!(error, Error::GpuLost { .. }) {
        *failure = Some(error);
    }
}

fn failure_of(adapter: &str, error: wgpu::Error) -> Error {
    let adapter = adapter.to_owned();
    match error {
        wgpu::Error::OutOfMemory { .. } => Error::GpuOutOfMemory { adapter },
        wgpu::Error::Validation { description, .. } | wgpu::Error::Internal { description, .. } => Error::GpuFailed {
            adapter,
            reason: description,
        },
    }
}

/// One run of a kernel.
struct Task {
    pipeline: ComputePipeline,
    /// Bindings 1, 2 ..
    buffers: Vec<wgpu::Buffer>,
    /// Where its parameters are, and their size.
    params: (usize, usize),
    groups: [u32; 3],
}

/// Runs of kernels that are submitted together, one after the other.
pub(crate) struct Tasks<'a> {
    pub gpu: &'a Gpu,
    tasks: Vec<Task>,
    params: Vec<u8>,
}

impl Tasks<'_> {
    /// Adds a run of `kernel` by `groups` workgroups, with `params` in binding 0 and `buffers` in those after it.
    pub fn add<P: Pod>(&mut self, kernel: Kernel, params: P, buffers: &[&Buffer], groups: [usize; 3]) {
        if groups.contains(&0) {
            return;
        }
        let start = self.params.len().next_multiple_of(PARAMS_ALIGNMENT);
        self.params.resize(start, 0);
        self.params.extend_from_slice(bytemuck::bytes_of(&params));
        self.tasks.push(Task {
            pipeline: self.gpu.pipeline(kernel),
            buffers: buffers.iter().map(|buffer| buffer.0.clone()).collect(),
            params: (start, size_of::<P>()),
            groups: groups.map(|count| count as u32),
        });
    }

    /// Hands them to the GPU; they may not be done when this returns.
    pub fn submit(self) -> Result<()> {
        if self.tasks.is_empty() {
            return Ok(());
        }
        let Inner { device, queue, .. } = &*self.gpu.0;
        let params = device.create_buffer(&BufferDescriptor {
            label: None,
            size: self.params.len().next_multiple_of(PARAMS_ALIGNMENT) as u64,
            usage: BufferUsages::UNIFORM | BufferUsages::COPY_DST,
            mapped_at_creation: false,
        });
        queue.write_buffer(&params, 0, &self.params);
        let mut encoder = device.create_command_encoder(&Default::default());
        let mut pass = encoder.begin_compute_pass(&ComputePassDescriptor::default());
        for task in &self.tasks {
            let uniform = BindingResource::Buffer(BufferBinding {
                buffer: &params,
                offset: task.params.0 as u64,
                size: NonZeroU64::new(task.params.1 as u64),
            });
            let storage = task.buffers.iter().map(wgpu::Buffer::as_entire_binding);
            let entries: Vec<BindGroupEntry> = std::iter::once(uniform)
                .chain(storage)
                .zip(0..)
                .map(|(resource, binding)| BindGroupEntry { binding, resource })
                .collect();
            let group = device.create_bind_group(&BindGroupDescriptor {
                label: None,
                layout: &task.pipeline.get_bind_group_layout(0),
                entries: &entries,
            });
            pass.set_pipeline(&task.pipeline);
            pass.set_bind_group(0, &group, &[]);
            let [x, y, z] = task.groups;
            pass.dispatch_workgroups(x, y, z);
        }
        drop(pass);
        let submission = queue.submit([encoder.finish()]);
        self.gpu.check()?;
        self.gpu.submitted(submission)
    }
}
