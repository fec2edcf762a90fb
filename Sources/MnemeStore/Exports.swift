// What a store keeps: `import MnemeStore` alone is enough to use it.
@_exported public import MnemeCube
