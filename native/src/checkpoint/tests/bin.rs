//! PyTorch's `.bin` files: what `torch.save` wrote is read as its safetensors twin, what lies or attacks is refused.

mod archives;
mod attacks;
mod fixtures;
mod fuzz;
mod make;
mod tensors;
