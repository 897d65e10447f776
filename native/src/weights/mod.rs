//! A layer's weights in memory: in the bytes of a checkpoint, and column by column as they are computed with.

pub mod columns;
pub mod lanes;
pub mod selection;
pub mod storage;
pub mod weight;
pub mod zeros;
