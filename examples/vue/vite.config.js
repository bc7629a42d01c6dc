import vue from '@vitejs/plugin-vue';

// Which elements are none of Vue's.
const compilerOptions = { isCustomElement: (tag) => tag.startsWith('mien-') };

export default { plugins: [vue({ template: { compilerOptions } })] };
