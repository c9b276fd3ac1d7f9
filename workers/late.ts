import { DurableObject } from "cloudflare:workers";

/** What a Durable Object's class offers by name, beside what all of them have. */
type Methods<T> = Exclude<keyof T, keyof DurableObject>;

/**
 * A Durable Object's class whose code is loaded when its first object is made: the isolates at the edge run none of it, and
 * those of objects none of the edge's. Until it is there, the object takes no calls.
 * @param methods every method that may be called from outside, and `alarm` where there is one.
 */
export function lateObject<T extends DurableObject>(
  load: () => Promise<new (ctx: DurableObjectState, env: Cloudflare.Env) => T>,
  methods: Readonly<Record<Methods<T> & string, true>> & { readonly alarm?: true },
): new (ctx: DurableObjectState, env: Cloudflare.Env) => T {
  let Loaded: Awaited<ReturnType<typeof load>> | undefined;

  class Late extends DurableObject {
    #object: T | undefined;

    constructor(ctx: DurableObjectState, env: Cloudflare.Env) {
      super(ctx, env);
      if (Loaded) this.#object = new Loaded(ctx, env);
      else {
        void ctx.blockConcurrencyWhile(async () => {
          Loaded ??= await load();
          this.#object = new Loaded(ctx, env);
        });
      }
    }

    static {
      for (const name of Object.keys(methods)) {
        Object.defineProperty(this.prototype, name, {
          value(this: Late, ...args: readonly unknown[]): unknown {
            const method: unknown = this.#object && Reflect.get(this.#object, name);
            if (typeof method !== "function") throw new Error("The object is not loaded.");
            return Reflect.apply(method, this.#object, args);
          },
        });
      }
    }
  }
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it has the methods of the class that it stands for
  return Late as unknown as new (ctx: DurableObjectState, env: Cloudflare.Env) => T;
}
