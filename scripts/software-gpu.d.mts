/** A software Vulkan adapter: run a program with `VK_DRIVER_FILES=icd` and `LD_LIBRARY_PATH=folder`; null where there is none. */
export function softwareGpu(): Promise<{ folder: string; icd: string } | null>;
