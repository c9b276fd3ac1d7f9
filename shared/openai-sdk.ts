/**
 * The part of OpenAI's SDK that embedding and answering need. Loaded as a whole it brings what all its other names need, because
 * a bundler does not see which of a dynamic import's names are used.
 */
export { OpenAI } from "openai/client";
