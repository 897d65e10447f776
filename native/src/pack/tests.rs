//! Every layout against a writer that sets one bit after the other, as the format's definition says, and read back bit for bit.

mod archive;
mod dense;
mod example;
mod layouts;
mod lies;
mod naive;
