/** The example portal: a page of the company's that has the widget. Who is signed in is chosen here, as demo mode allows. */
const chat = document.querySelector("quayside-chat");
const who = document.querySelector("select");

export interface Person {
  readonly name: string;
  readonly label: string;
  readonly language: string;
}

async function load(): Promise<void> {
  const response = await fetch("/v1/demo");
  const demo: { readonly users: readonly Person[] } = await response.json();
  for (const { name, label } of demo.users) who?.append(new Option(label, name));
  const change = (): void => {
    const person = demo.users.find(({ name }) => name === who?.value);
    if (!person || !chat) return;
    chat.setAttribute("demo-user", person.name);
    document.documentElement.lang = person.language;
    chat.setAttribute("lang", person.language);
  };
  who?.addEventListener("change", change);
  change();
  document.body.classList.add("loaded");
}

void load();
