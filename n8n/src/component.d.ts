/** The transpiled component; the package's build puts it here. */
declare module 'component' {
	export function instantiate(
		getCoreModule: (name: string) => WebAssembly.Module | undefined,
		imports: Record<string, object>,
		instantiateCore: (module: WebAssembly.Module, imports: WebAssembly.Imports) => WebAssembly.Instance,
	): unknown;
}
