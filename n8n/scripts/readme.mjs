export function readme(description, names, markdown) { return `# ${names.package}\n\n${markdown}`; }
