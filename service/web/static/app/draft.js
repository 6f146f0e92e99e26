// The job that the next one starts from, when somebody asked for "train again".

export const draft = { dataset: null, job: null };
