//! Defines resources of `wasi:http` that the host implements itself.

use wasmtime::StoreContextMut;
use wasmtime::component::{LinkerInstance, Resource, ResourceType};
use wasmtime_wasi_io::IoView as _;

use crate::runtime::state::State;

pub(super) type Store<'a> = StoreContextMut<'a, State>;

/// Defines a resource that is a `T` in the instance's table. It is deleted when the node drops its handle.
pub(super) fn resource<T: Send + 'static>(
    types: &mut LinkerInstance<'_, State>,
    name: &str,
) -> wasmtime::Result<()> {
    types.resource(name, ResourceType::host::<T>(), |mut store: Store<'_>, rep| {
        store.data_mut().table().delete(Resource::<T>::new_own(rep))?;
        Ok(())
    })
}
