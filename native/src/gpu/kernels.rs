//! The kernels: their WGSL sources and where they are entered.

use std::fmt;

/// How a product is cut: a workgroup of `x * y` threads computes 8 y rows by 8 x columns, `k` terms of each sum at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Tile {
    pub x: u32,
    pub y: u32,
    pub k: u32,
}

/// As in "8x8x16": x, y and k.
impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "{}x{}x{}", self.x, self.y, self.k)
    }
}

impl Tile {
    pub const DEFAULT: Self = Self { x: 8, y: 8, k: 16 };
    /// Those that an adapter may be given. The largest needs 16 KiB of workgroup memory and 256 threads, which every adapter has.
    pub const ALL: [Self; 5] = [
        Self::DEFAULT,
        Self { x: 8, y: 8, k: 32 },
        Self { x: 16, y: 8, k: 16 },
        Self { x: 16, y: 16, k: 8 },
        Self { x: 16, y: 16, k: 16 },
    ];

    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tile| tile.to_string() == name)
    }

    pub fn rows(self) -> u32 {
        8 * self.y
    }

    pub fn cols(self) -> u32 {
        8 * self.x
    }
}

/// Which operands of a product lie in the buffer that it is written to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Shared {
    Neither,
    A,
    Both,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kernel {
    Gemm(Shared),
    Gram,
    Hessian,
    Correlation,
    Ridge,
    Mirror,
    Flip,
    Diagonal,
    FactorCorner,
    SolveRows,
    InvertCorners,
    Score,
    Count,
    Choose,
    CountSaliencies,
    Fit,
    Sweep { is_quantized: bool },
    Refine,
    Project,
    Deviate,
    Relax,
    KeepOnly,
    DotRows,
    BeginRows,
    DescendRows,
    TurnRows,
}

const PRODUCT: &str = include_str!("product.wgsl");
const STORAGE: &str = include_str!("storage.wgsl");

const GRIDS: &str = "
@group(0) @binding(7) var<storage, read> grids: array<f32>; // [2, groups, stride]: scales, then zero points
@group(0) @binding(8) var<storage, read> group_of: array<u32>; // [cols]

fn on_grid(value: f32, column: u32, row: u32) -> f32 {
  let group = group_of[column];
  let scale = grids[group * params.stride + row];
  let zero = grids[(params.groups + group) * params.stride + row];
  return scale * level(value, scale, zero, params.most);
}
";
const NO_GRIDS: &str = "
fn on_grid(value: f32, column: u32, row: u32) -> f32 { return value; }
";

impl Kernel {
    #[cfg(test)]
    pub const ALL: [Self; 29] = [
        Self::Gemm(Shared::Neither),
        Self::Gemm(Shared::A),
        Self::Gemm(Shared::Both),
        Self::Gram,
        Self::Hessian,
        Self::Correlation,
        Self::Ridge,
        Self::Mirror,
        Self::Diagonal,
        Self::FactorCorner,
        Self::SolveRows,
        Self::InvertCorners,
        Self::Flip,
        Self::Score,
        Self::Count,
        Self::Choose,
        Self::CountSaliencies,
        Self::Fit,
        Self::Sweep { is_quantized: false },
        Self::Sweep { is_quantized: true },
        Self::Refine,
        Self::Project,
        Self::Deviate,
        Self::Relax,
        Self::KeepOnly,
        Self::DotRows,
        Self::BeginRows,
        Self::DescendRows,
        Self::TurnRows,
    ];

    pub fn entry(self) -> &'static str {
        match self {
            Self::Gemm(_) => "gemm",
            Self::Gram => "gram",
            Self::Hessian => "hessian",
            Self::Correlation => "correlation",
            Self::Ridge => "ridge",
            Self::Mirror => "mirror",
            Self::Diagonal => "diagonal_of",
            Self::FactorCorner => "factor_corner",
            Self::SolveRows => "solve_rows",
            Self::InvertCorners => "invert_corners",
            Self::Flip => "flip",
            Self::Score => "score",
            Self::Count => "count",
            Self::Choose => "choose",
            Self::CountSaliencies => "count_saliencies",
            Self::Fit => "fit",
            Self::Sweep { .. } => "sweep",
            Self::Refine => "refine",
            Self::Project => "project",
            Self::Deviate => "deviate",
            Self::Relax => "relax",
            Self::KeepOnly => "keep_only",
            Self::DotRows => "dot_rows",
            Self::BeginRows => "begin_rows",
            Self::DescendRows => "descend_rows",
            Self::TurnRows => "turn_rows",
        }
    }

    /// Whether the kernel's source depends on the tile.
    pub fn is_tiled(self) -> bool {
        matches!(self, Self::Gemm(_) | Self::Gram)
    }

    pub fn source(self, tile: Tile) -> String {
        let product = |rest: &str| {
            let Tile { x, y, k } = tile;
            format!("const WX: u32 = {x}u;\nconst WY: u32 = {y}u;\nconst KT: u32 = {k}u;\n{PRODUCT}\n{rest}")
        };
        match self {
            Self::Gemm(shared) => product(&gemm(shared)),
            Self::Gram => product(include_str!("gram.wgsl")),
            Self::Hessian | Self::Correlation | Self::Ridge | Self::Mirror | Self::Flip | Self::Diagonal => {
                include_str!("hessian.wgsl").to_owned()
            }
            Self::FactorCorner | Self::SolveRows | Self::InvertCorners => include_str!("triangle.wgsl").to_owned(),
            Self::Score | Self::Count | Self::Choose => include_str!("select.wgsl").to_owned(),
            Self::CountSaliencies => include_str!("saliency.wgsl").to_owned(),
            Self::Project => include_str!("project.wgsl").to_owned(),
            Self::Deviate | Self::Relax | Self::KeepOnly => include_str!("split.wgsl").to_owned(),
            Self::DotRows | Self::BeginRows | Self::DescendRows | Self::TurnRows => {
                include_str!("rows.wgsl").to_owned()
            }
            Self::Fit => format!("{STORAGE}\n{}", include_str!("grid.wgsl")),
            Self::Sweep { is_quantized } => {
                let grids = if is_quantized { GRIDS } else { NO_GRIDS };
                format!("{STORAGE}\n{}", include_str!("sweep.wgsl").replace("//: grids", grids))
            }
            Self::Refine => format!("{STORAGE}\n{GRIDS}\n{}", include_str!("refine.wgsl")),
        }
    }
}

/// A buffer may not be bound twice where it is written, so an operand that lies in it is read through the same binding.
fn gemm(shared: Shared) -> String {
    let binding =
        |number: u32, name: &str| format!("@group(0) @binding({number}) var<storage, read> {name}: array<f32>;\n");
    let (a, b, bindings) = match shared {
        Shared::Neither => ("a", "b", binding(2, "a") + &binding(3, "b")),
        Shared::A => ("c", "b", binding(2, "b")),
        Shared::Both => ("c", "c", String::new()),
    };
    include_str!("gemm.wgsl")
        .replace("//: operands", &bindings)
        .replace("A[", &format!("{a}["))
        .replace("B[", &format!("{b}["))
}
